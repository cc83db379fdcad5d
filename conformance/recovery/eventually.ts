import { setTimeout as sleep } from 'node:timers/promises';

/** Repeats a call until it succeeds, as a client with back-off would, which on a slow machine may take many kills; fails with the last error after `timeoutMs`. */
export async function eventually<Result>(call: () => Promise<Result>, timeoutMs = 120_000): Promise<Result> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (Date.now() >= deadline) throw error;
      await sleep(30);
    }
  }
}
