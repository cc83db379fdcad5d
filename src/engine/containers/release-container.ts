import { existsSync } from 'node:fs';
import type { ContainerId, SnapshotKey } from '../../lib/ids.ts';
import type { EngineParts } from '../parts.ts';

/**
 * Removes a container's snapshot and directories; its log stays. Idempotent: the one undo for a failed creation, a removal
 * and recovery. Its task must be gone.
 */
export async function releaseContainer(parts: EngineParts, id: ContainerId, signal: AbortSignal): Promise<void> {
  const { agent, paths, snapshotter } = parts;
  const present = [paths.bundle(id), paths.container(id)].filter((path) => existsSync(path));
  await Promise.all(present.map((path) => agent.removeTree(path, signal)));
  await snapshotter.remove(id as string as SnapshotKey);
}
