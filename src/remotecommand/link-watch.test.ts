import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { farewellMs, LinkWatch } from './link-watch.ts';

const link = { probe: vi.fn(), idle: vi.fn() };

beforeEach(() => {
  vi.resetAllMocks();
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('a link that is used is probed and not idle', async () => {
  const watch = new LinkWatch(link, 60_000);
  await vi.advanceTimersByTimeAsync(50_000);
  watch.used();
  await vi.advanceTimersByTimeAsync(50_000);
  expect(link.probe).toHaveBeenCalledTimes(6);
  expect(link.idle).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(20_000);
  expect(link.idle).toHaveBeenCalled();
  watch.stop();
});

test.each([[4 * 3_600_000, farewellMs], [60_000, 60_000]])('with an idle timeout of %i ms a peer has %i ms to read its farewell', async (idleMs, expectedMs) => {
  const watch = new LinkWatch(link, idleMs);
  await vi.advanceTimersByTimeAsync(30_000);
  watch.leave();
  await vi.advanceTimersByTimeAsync(expectedMs - 1);
  expect(link.idle).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  expect(link.idle).toHaveBeenCalledTimes(1);
  watch.stop();
});
