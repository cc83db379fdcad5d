import Bottleneck from 'bottleneck';
import { abortable } from './keyed-mutex.ts';

/** Runs work when one of a fixed number of places is free, first come, first served. */
export interface Limit {
  /** Rejects with the signal's reason if it aborts while waiting; running work has to heed the signal itself. */
  run<Result>(work: () => Promise<Result>, signal?: AbortSignal): Promise<Result>;
}

export function createLimit(places: number): Limit {
  const queue = new Bottleneck({ maxConcurrent: places });
  return {
    run: async (work, signal) => {
      signal?.throwIfAborted();
      const started = Promise.withResolvers<void>();
      const scheduled = queue.schedule(async () => {
        // A caller who left must not start work that nobody awaits.
        signal?.throwIfAborted();
        started.resolve();
        return work();
      });
      await abortable(Promise.race([started.promise, scheduled]), signal);
      return scheduled;
    },
  };
}
