import { expect, test } from 'vitest';
import { longestTimerMs, longSleep } from './long-sleep.ts';

test('a short time passes, and none at all', async () => {
  const { signal } = new AbortController();
  await longSleep(0, signal);
  await longSleep(5, signal);
});

test.each([longestTimerMs + 1, 365 * 86_400_000])('%i ms are not over at once, and end with their signal', async (ms) => {
  const abort = new AbortController();
  let over = false;
  const sleeping = longSleep(ms, abort.signal).then(() => { over = true; });
  await longSleep(50, new AbortController().signal);
  expect(over).toBe(false);
  abort.abort();
  await expect(sleeping).rejects.toThrow();
});
