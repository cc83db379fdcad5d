import type { ArchiveNotes } from '../../engine/model/checkpoint.ts';
import { metadataOf } from './pod-metadata.ts';

/** The annotations by which checkpointctl finds out what it shows. */
export const archiveNotes: ArchiveNotes = (container, pod) => {
  const { name, namespace, uid } = metadataOf(pod.config);
  return {
    'io.kubernetes.cri.container-type': 'container',
    'io.kubernetes.cri.container-name': container.config.name,
    'io.kubernetes.cri.sandbox-id': pod.id,
    'io.kubernetes.cri.sandbox-name': name,
    'io.kubernetes.cri.sandbox-namespace': namespace,
    'io.kubernetes.cri.sandbox-uid': uid,
  };
};
