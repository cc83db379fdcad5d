import { expect, test } from 'vitest';
import { OpenCalls } from './open-calls.ts';

/** Resolves to the reason for which the call's signal aborted. */
const untilAborted = async (signal: AbortSignal): Promise<unknown> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason);
    signal.addEventListener('abort', () => { resolve(signal.reason); });
  });

const stays = (): void => undefined;
const leaves = (listener: () => void): void => { setImmediate(listener); };

test('the reason of the signal says whether the client left, its deadline passed or the door closed', async () => {
  const calls = new OpenCalls();
  await expect(calls.run({ deadlineMs: Infinity, onLeft: leaves }, untilAborted)).resolves.toMatchObject({ kind: 'canceled' });
  await expect(calls.run({ deadlineMs: Date.now() + 60_000, onLeft: leaves }, untilAborted)).resolves.toMatchObject({ kind: 'canceled' });
  await expect(calls.run({ deadlineMs: Date.now() - 1, onLeft: leaves }, untilAborted)).resolves.toMatchObject({ kind: 'timeout' });
  const open = calls.run({ deadlineMs: Infinity, onLeft: stays }, untilAborted);
  calls.close();
  await expect(open).resolves.toMatchObject({ kind: 'unavailable' });
});

test('a closed door aborts later calls, too, and leaves alone what is over', async () => {
  const calls = new OpenCalls();
  const over = await calls.run({ deadlineMs: Infinity, onLeft: stays }, async (signal) => signal);
  calls.close();
  expect(over.aborted).toBe(false);
  await expect(calls.run({ deadlineMs: Infinity, onLeft: stays }, untilAborted)).resolves.toMatchObject({ kind: 'unavailable' });
});
