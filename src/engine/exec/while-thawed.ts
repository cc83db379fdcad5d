import { isKind } from '../../lib/errors.ts';
import { abortable } from '../../lib/keyed-mutex.ts';
import { runningTask, type RunningTask } from '../containers/running-task.ts';
import type { EngineParts } from '../parts.ts';

/** Starts something in a running container once no start of a neighbour keeps it frozen. Fails as runningTask() and `work` do. */
export async function whileThawed<Result>(parts: EngineParts, idOrPrefix: string, work: (running: RunningTask) => Promise<Result>, signal: AbortSignal): Promise<Result> {
  for (;;) {
    const running = runningTask(parts, idOrPrefix);
    const freeze = (): Promise<void> | undefined => parts.tasks.get(running.container.id)?.thawed;
    const last = freeze();
    await abortable(last ?? Promise.resolve(), signal);
    try {
      if (freeze() === last) return await work(running);
    } catch (error) {
      // A client may have paused it meanwhile; this says so.
      if (saysPaused(error)) runningTask(parts, idOrPrefix);
      // A freeze came between our look and that of the OCI runtime, which then has started nothing.
      if (freeze() === last || !saysPaused(error)) throw error;
    }
  }
}

/** In the words of crun and runc, which have no code for it. */
function saysPaused(error: unknown): boolean {
  return isKind(error, 'internal') && error instanceof Error && /is paused|paused container/.test(error.message);
}
