import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerId } from '../../lib/ids.ts';
import type { Task, TaskExit } from '../../shim/port.ts';
import type { EngineParts } from '../parts.ts';
import { deleteTask } from './delete-task.ts';
import { recordTaskExit } from './record-exit.ts';
import type { LiveTask } from './task-table.ts';

/** A shim that refuses to tell the exit this often counts as lost. */
const attempts = 5;
const pauseMs = 1000;

/** Waits in the background for a container's end, records it and deletes the task. */
export function watchExit(parts: EngineParts, id: ContainerId, live: LiveTask): void {
  parts.background.run('watching a container', { container: id }, async (closing) => {
    try {
      await watch(parts, id, live, AbortSignal.any([closing, live.abandoned.signal]));
    } catch (error) {
      if (!live.abandoned.signal.aborted) throw error;
    }
  });
}

async function watch(parts: EngineParts, id: ContainerId, live: LiveTask, signal: AbortSignal): Promise<void> {
  const exit = await waitForExit(parts, live.task, signal);
  // Deleting first kills what a lost shim left running: the container must not seem ended before it is.
  if (exit === undefined) await deleteAtLast(parts, id, live, signal);
  recordTaskExit(parts, id, exit);
  live.markExited();
  await deleteTask(parts, id, live);
}

async function deleteAtLast(parts: EngineParts, id: ContainerId, live: LiveTask, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      await deleteTask(parts, id, live);
      return;
    } catch (error) {
      parts.log.warn({ container: id, err: error }, 'what a lost shim left could not be cleaned up; it is tried again');
      await sleep(pauseMs, undefined, { signal });
    }
  }
}

async function waitForExit(parts: EngineParts, task: Task, signal: AbortSignal): Promise<TaskExit | undefined> {
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    try {
      return await task.wait(signal);
    } catch (error) {
      signal.throwIfAborted();
      parts.log.warn({ container: task.handle.id, attempt, err: error }, 'a shim refuses to tell of the exit');
      await sleep(pauseMs, undefined, { signal });
    }
  }
  return undefined;
}
