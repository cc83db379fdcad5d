import { setTimeout as sleep } from 'node:timers/promises';
import { isKind } from '../../lib/errors.ts';
import { RegistryError } from './registry-error.ts';

const firstDelayMs = 200;
const longestDelayMs = 5000;
export const maxAttempts = 4;

export function isTransient(error: unknown): boolean {
  return error instanceof RegistryError ? error.transient : isKind(error, 'unavailable');
}

/** Waits longer after each failure in a row, with some chance in it so that a cluster's nodes do not return together. */
export async function backOff(failures: number, error: unknown, signal: AbortSignal): Promise<void> {
  const grown = Math.min(firstDelayMs * 2 ** (failures - 1), longestDelayMs);
  const asked = error instanceof RegistryError ? error.retryAfterMs : 0;
  const delayMs = Math.max(grown * (0.75 + Math.random() / 2), asked);
  try {
    await sleep(delayMs, undefined, { signal });
  } catch {
    signal.throwIfAborted();
  }
}

/** Repeats work that failed in passing, at most {@link maxAttempts} times in all. */
export async function withRetry<Result>(work: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      if (!isTransient(error) || failures >= maxAttempts) throw error;
      await backOff(failures, error, signal);
    }
  }
}
