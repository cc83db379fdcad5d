import type { CniAttachment } from '../../cni/port.ts';
import { cgroupParent } from '../cgroup-parent.ts';
import type { Pod } from '../model/pod.ts';
import type { EngineParts } from '../parts.ts';
import { bandwidth } from './bandwidth.ts';

/** What CNI plugins are told about a pod. `netnsPath` is empty once the namespace is gone. */
export function attachment(parts: Pick<EngineParts, 'config'>, { id, config }: Pod, netnsPath: string): CniAttachment {
  const { identity, annotations, dns } = config;
  const limits = bandwidth(annotations);
  return {
    id,
    netnsPath,
    args: {
      IgnoreUnknown: '1',
      K8S_POD_NAMESPACE: identity.namespace,
      K8S_POD_NAME: identity.name,
      K8S_POD_INFRA_CONTAINER_ID: id,
      K8S_POD_UID: identity.uid,
    },
    portMappings: config.portMappings,
    capabilities: {
      'io.kubernetes.cri.pod-annotations': annotations,
      cgroupPath: cgroupParent(parts.config, config),
      ...(dns === undefined ? {} : { dns: { servers: dns.servers, searches: dns.searches, options: dns.options } }),
      ...(limits === undefined ? {} : { bandwidth: limits }),
    },
  };
}
