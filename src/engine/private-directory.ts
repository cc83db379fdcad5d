import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Pod } from './model/pod.ts';

/**
 * Makes the directory of a pod or one of its containers, idempotently. What a container leaves below it (setuid programs,
 * devices, files for everyone) is for no other account of the node: only root gets through and, in a user namespace, whoever
 * is in that namespace's root group, as which the OCI runtime looks for the root file system and the mounts.
 */
export function makePrivateDirectory(path: string, { config }: Pick<Pod, 'config'>): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o711 });
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const { user } = config.security.namespaces;
  const rootGroup = user?.mode === 'pod' ? user.gidMappings.find(({ containerId }) => containerId === 0) : undefined;
  if (rootGroup === undefined) return;
  chownSync(path, 0, rootGroup.hostId);
  chmodSync(path, 0o710);
}
