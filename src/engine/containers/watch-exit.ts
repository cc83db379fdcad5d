import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerId } from '../../lib/ids.ts';
import type { Task, TaskExit } from '../../shim/port.ts';
import { isLive } from '../model/container.ts';
import type { EngineParts } from '../parts.ts';
import { deleteTask } from './delete-task.ts';
import { recordTaskExit } from './record-exit.ts';
import type { LiveTask } from '../stores/task-table.ts';

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
  if (exit === undefined) await atLast(parts, id, { failed: 'what a lost shim left could not be cleaned up', work: () => deleteTask(parts, id, live) }, signal);
  // The disk may be full. Whoever stops the container waits for this, and nobody else does it.
  await atLast(parts, id, { failed: 'the exit of a container could not be recorded', work: async () => recordOnce(parts, id, exit) }, signal);
  live.markExited();
  await deleteTask(parts, id, live);
}

/** One that is no longer running has been recorded by whoever buried its shim. */
function recordOnce(parts: EngineParts, id: ContainerId, exit: TaskExit | undefined): void {
  const container = parts.containers.peek(id);
  if (container !== undefined && isLive(container)) recordTaskExit(parts, id, exit);
}

interface Step {
  /** What the log says of a failure. */
  readonly failed: string;
  readonly work: () => Promise<void>;
}

async function atLast(parts: EngineParts, id: ContainerId, { failed, work }: Step, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      await work();
      return;
    } catch (error) {
      parts.log.warn({ container: id, err: error }, `${failed}; it is tried again`);
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
