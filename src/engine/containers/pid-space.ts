import type { ContainerId, PodId } from '../../lib/ids.ts';
import type { Container } from '../model/container.ts';
import type { EngineParts } from '../parts.ts';

/** Names the PID namespace of a container: its pod's, or that of the container that is its first process. undefined: the node's. */
export function pidSpace(parts: Pick<EngineParts, 'pods' | 'containers'>, { id, podId, config }: Container): ContainerId | PodId | undefined {
  const { pid, targetId } = config.security.namespaces;
  switch (pid) {
    case 'node':
      return undefined;
    case 'container':
      return id;
    case 'pod': {
      const ofPod = parts.pods.required(podId).config.security.namespaces.pid;
      if (ofPod === 'node') return undefined;
      return ofPod === 'pod' ? podId : id;
    }
    case 'target': {
      const target = parts.containers.find(targetId);
      // Where the target was the first process, nothing outlived it.
      return target === undefined ? podId : pidSpace(parts, target);
    }
  }
}
