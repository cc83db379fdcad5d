import type { ContainerId } from '../../lib/ids.ts';
import { cleanUpSignal } from '../clean-up-signal.ts';
import type { EngineParts } from '../parts.ts';
import type { LiveTask } from '../stores/task-table.ts';

/**
 * Deletes an ended task with its rootfs mount and its cgroup, and with it processes that outlived the main one. Once; whoever
 * calls again waits for the same.
 */
export function deleteTask(parts: EngineParts, id: ContainerId, live: LiveTask): Promise<void> {
  live.removed ??= remove(parts, id, live).catch((error: unknown) => {
    live.removed = undefined;
    throw error;
  });
  return live.removed;
}

async function remove(parts: EngineParts, id: ContainerId, { task }: LiveTask): Promise<void> {
  await task.remove(cleanUpSignal());
  parts.tasks.delete(id);
  if (parts.containers.peek(id) !== undefined) parts.containers.update(id, { task: undefined });
}
