import { BerthError } from '../../lib/errors.ts';
import { longestTimerMs } from '../../lib/long-sleep.ts';

/** Work under a signal that also aborts, with `timeout`, when the time is over. */
export async function withTimeLimit<Result>(signal: AbortSignal, limitMs: number | undefined, what: string, work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  if (limitMs === undefined || limitMs > longestTimerMs) return work(signal);
  const limit = new AbortController();
  const timer = setTimeout(() => {
    limit.abort(new BerthError('timeout', `${what} took longer than the ${limitMs / 1000} s that were given`));
  }, limitMs);
  try {
    return await work(AbortSignal.any([signal, limit.signal]));
  } finally {
    clearTimeout(timer);
  }
}
