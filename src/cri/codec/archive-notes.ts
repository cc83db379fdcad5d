import type { ArchiveNotes } from '../../engine/model/checkpoint.ts';

/** The annotations by which checkpointctl finds out what it shows. */
export const archiveNotes: ArchiveNotes = ({ config }, { id, config: { identity } }) => ({
  'io.kubernetes.cri.container-type': 'container',
  'io.kubernetes.cri.container-name': config.name,
  'io.kubernetes.cri.sandbox-id': id,
  'io.kubernetes.cri.sandbox-name': identity.name,
  'io.kubernetes.cri.sandbox-namespace': identity.namespace,
  'io.kubernetes.cri.sandbox-uid': identity.uid,
});
