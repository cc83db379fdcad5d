import type { NetworkHints } from '../../engine/model/pod.ts';
import type { PodSandboxConfig, PodSandboxMetadata } from '../messages/sandbox.ts';
import { bandwidth } from './bandwidth.ts';

/** What CNI plugins made for Kubernetes look for. Fails `invalid` on a bandwidth that is none. */
export function networkHints({ name, namespace, uid }: Omit<PodSandboxMetadata, 'attempt'>, annotations: PodSandboxConfig['annotations']): NetworkHints {
  const limits = bandwidth(annotations);
  return {
    args: { K8S_POD_NAMESPACE: namespace, K8S_POD_NAME: name, K8S_POD_UID: uid },
    idArg: 'K8S_POD_INFRA_CONTAINER_ID',
    annotationsAs: 'io.kubernetes.cri.pod-annotations',
    capabilities: limits === undefined ? {} : { bandwidth: limits },
  };
}
