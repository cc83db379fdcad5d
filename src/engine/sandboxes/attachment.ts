import type { CniAttachment } from '../../cni/port.ts';
import { cgroupParent } from '../cgroup-parent.ts';
import type { Pod } from '../model/pod.ts';
import type { EngineParts } from '../parts.ts';

/** What CNI plugins are told about a pod. `netnsPath` is empty once the namespace is gone. */
export function attachment(parts: Pick<EngineParts, 'config'>, { id, config }: Pod, netnsPath: string): CniAttachment {
  const { annotations, dns, networkHints, portMappings } = config;
  return {
    id,
    netnsPath,
    args: { IgnoreUnknown: '1', ...networkHints.args, [networkHints.idArg]: id },
    portMappings,
    capabilities: {
      ...networkHints.capabilities,
      [networkHints.annotationsAs]: annotations,
      cgroupPath: cgroupParent(parts.config, config),
      ...(dns === undefined ? {} : { dns: { servers: dns.servers, searches: dns.searches, options: dns.options } }),
    },
  };
}
