import type { ContainerId } from '../../lib/ids.ts';
import type { EngineParts } from '../parts.ts';
import { deleteTask } from './delete-task.ts';
import { killIfRunning } from './kill-if-running.ts';

/** Deletes whatever task an ended container still has, also one that an earlier berthd left or that a failed start could not undo. */
export async function endTask(parts: EngineParts, id: ContainerId, signal: AbortSignal): Promise<void> {
  const live = parts.tasks.get(id);
  if (live !== undefined) {
    await killIfRunning(live.task, signal);
    await deleteTask(parts, id, live);
  }
  const { task: handle } = parts.containers.required(id);
  if (handle === undefined) return;
  const task = await parts.shims.attach(handle, signal);
  if (task !== undefined) await killIfRunning(task, signal);
  await (task === undefined ? parts.shims.bury(handle, signal) : task.remove(signal));
  parts.containers.update(id, { task: undefined });
}
