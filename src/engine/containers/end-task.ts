import type { ContainerId } from '../../lib/ids.ts';
import type { TaskHandle } from '../../shim/port.ts';
import { cleanUpSignal } from '../clean-up-signal.ts';
import type { EngineParts } from '../parts.ts';
import { deleteTask } from './delete-task.ts';
import { killIfRunning } from './kill-if-running.ts';
import type { LiveTask } from '../stores/task-table.ts';

/** Deletes whatever task an ended container still has, also one that an earlier berthd left or that a failed start could not undo. */
export async function endTask(parts: EngineParts, id: ContainerId, signal: AbortSignal): Promise<void> {
  const live = parts.tasks.get(id);
  if (live !== undefined) await endLive(parts, id, live, signal);
  const { task: handle } = parts.containers.required(id);
  if (handle === undefined) return;
  await orBury(parts, handle, async () => {
    const task = await parts.shims.attach(handle, signal);
    if (task !== undefined) await killIfRunning(task, signal);
    await (task === undefined ? parts.shims.bury(handle, signal) : task.remove(signal));
  });
  parts.containers.update(id, { task: undefined });
}

/** Ends a task and deletes it. */
export async function endLive(parts: EngineParts, id: ContainerId, live: LiveTask, signal: AbortSignal): Promise<void> {
  await orBury(parts, live.task.handle, async () => {
    await killIfRunning(live.task, signal);
    await deleteTask(parts, id, live);
  });
  parts.tasks.delete(id);
  parts.containers.update(id, { task: undefined });
}

/** A shim that does not answer, or not before its caller leaves, is buried with all that it holds. */
async function orBury(parts: EngineParts, handle: TaskHandle, end: () => Promise<void>): Promise<void> {
  try {
    await end();
  } catch (error) {
    parts.log.warn({ container: handle.id, err: error }, 'a task could not be deleted; its shim is buried');
    await parts.shims.bury(handle, cleanUpSignal());
  }
}
