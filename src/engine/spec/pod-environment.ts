import type { OciNamespace } from '../../oci/runtime-spec/types.ts';
import { cgroupParent } from '../cgroup-parent.ts';
import type { Pod, PodEnvironment } from '../model/pod.ts';
import type { EngineParts } from '../parts.ts';
import type { PinKind } from '../paths.ts';
import { podHostname } from './pod-hostname.ts';
import { podSysctls } from './sysctls.ts';

/** See PodService.environment. */
export function podEnvironment(parts: EngineParts, idOrPrefix: string): PodEnvironment {
  const pod = parts.pods.get(idOrPrefix);
  return {
    namespaces: pod.state === 'ready' ? podNamespaces(parts, pod) : [],
    hostname: podHostname(pod.config),
    cgroup: cgroupParent(parts.config, pod.config),
    sysctls: podSysctls(parts.config, pod.config),
  };
}

/** Those that the pod has of its own, by their pins. */
export function podNamespaces({ paths }: Pick<EngineParts, 'paths'>, { id, config }: Pod): readonly OciNamespace[] {
  const { network, ipc, pid, user } = config.security.namespaces;
  const own: readonly (readonly [OciNamespace['type'], PinKind, boolean])[] = [
    ['network', 'net', network !== 'node'],
    ['uts', 'uts', network !== 'node'],
    ['ipc', 'ipc', ipc !== 'node'],
    ['pid', 'pid', pid === 'pod'],
    ['user', 'user', user?.mode === 'pod'],
  ];
  return own.filter(([, , present]) => present).map(([type, kind]) => ({ type, path: paths.pin(id, kind) }));
}
