import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds that a timer of Node's can wait; one that is to wait longer fires at once. */
export const longestTimerMs = 2 ** 31 - 1;

/** Resolves after any number of milliseconds; rejects when the signal aborts. */
export async function longSleep(ms: number, signal: AbortSignal): Promise<void> {
  for (let leftMs = ms; leftMs > 0; leftMs -= longestTimerMs) await sleep(Math.min(leftMs, longestTimerMs), undefined, { signal });
}
