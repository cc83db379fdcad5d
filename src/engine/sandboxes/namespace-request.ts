import type { NamespaceRequest } from '../../agent/port.ts';
import type { EngineConfig } from '../config.ts';
import type { Pod } from '../model/pod.ts';
import { podHostname } from '../spec/pod-hostname.ts';
import { podSysctls } from '../spec/sysctls.ts';

/** False for a pod that lives in the node's namespaces alone. */
export function hasOwnNamespaces({ net, ipc, uts, pid, uidMappings }: NamespaceRequest): boolean {
  return net || ipc || uts || pid || uidMappings.length > 0;
}

/** Which namespaces the pod gets. The host's network goes with the host's name. */
export function namespaceRequest(config: EngineConfig, of: { readonly pod: Pod; readonly dir: string; readonly pauseCgroups: readonly string[] }): NamespaceRequest {
  const { network, ipc, pid, user } = of.pod.config.security.namespaces;
  const own = user?.mode === 'pod' ? user : undefined;
  return {
    dir: of.dir,
    net: network !== 'node',
    uts: network !== 'node',
    ipc: ipc !== 'node',
    pid: pid === 'pod',
    uidMappings: own?.uidMappings ?? [],
    gidMappings: own?.gidMappings ?? [],
    hostname: network === 'node' ? '' : podHostname(of.pod.config),
    sysctls: podSysctls(config, of.pod.config),
    pauseCgroups: of.pauseCgroups,
  };
}
