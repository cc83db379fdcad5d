import { inParallel } from '../in-parallel.ts';
import type { Task } from '../../shim/port.ts';
import { cleanUpSignal } from '../clean-up-signal.ts';
import type { EngineParts } from '../parts.ts';

/** Pauses all tasks, does the work and lets all run again, whatever became of pausing and of the work. */
export async function whilePaused<Result>(parts: EngineParts, tasks: readonly Task[], work: () => Promise<Result>): Promise<Result> {
  try {
    await inParallel(tasks.map((task) => () => task.pause()), new AbortController().signal);
    return await work();
  } finally {
    await Promise.all(tasks.map((task) => resumeAtLast(parts, task)));
  }
}

/** Also later, if the shim refuses now: a container must not stay frozen. */
async function resumeAtLast(parts: EngineParts, task: Task): Promise<void> {
  const container = task.handle.id;
  try {
    await resume(task, cleanUpSignal());
  } catch (error) {
    parts.log.warn({ container, err: error }, 'a container could not be resumed after its checkpoint; it is tried again');
    parts.background.retry('resuming a container', { container }, (signal) => resume(task, signal));
  }
}

/** One that was never paused, or has ended, needs no resuming. */
async function resume(task: Task, signal: AbortSignal): Promise<void> {
  const { status } = await task.state(signal);
  if (status === 'paused') await task.resume(signal);
}
