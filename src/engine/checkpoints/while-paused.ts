import type { Task } from '../../shim/port.ts';
import { resumeAtLast } from '../containers/resume-at-last.ts';
import { inParallel } from '../in-parallel.ts';
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
