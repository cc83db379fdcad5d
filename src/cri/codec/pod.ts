import type { Pod } from '../../engine/model/pod.ts';
import { sandboxStates, type PodSandbox, type PodSandboxStatus } from '../messages/sandbox.ts';
import { metadataOf } from './pod-metadata.ts';
import { encodeNamespaces } from './namespaces.ts';

export function encodePod(pod: Pod): PodSandbox {
  const { labels, annotations, runtimeHandler } = pod.config;
  return { id: pod.id, metadata: metadataOf(pod.config), state: sandboxStates.indexOf(pod.state === 'ready' ? 'ready' : 'notready'), createdAt: pod.createdAtNs, labels, annotations, runtimeHandler };
}

export function encodePodStatus(pod: Pod): PodSandboxStatus {
  const [ip = '', ...others] = pod.network?.ips ?? [];
  return {
    ...encodePod(pod),
    network: { ip, additionalIps: others.map((other) => ({ ip: other })) },
    linux: { namespaces: { options: encodeNamespaces(pod.config.security.namespaces) } },
  };
}
