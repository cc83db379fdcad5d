import { expect, test } from 'vitest';
import { inParallel } from './in-parallel.ts';

test('the first failure aborts the others and is thrown when all have ended', async () => {
  const ended: string[] = [];
  const failing = async (): Promise<void> => {
    throw new Error('first');
  };
  const aborted = async (signal: AbortSignal): Promise<void> => {
    await new Promise((resolve) => {
      signal.addEventListener('abort', resolve);
    });
    await Promise.resolve();
    ended.push('aborted');
    signal.throwIfAborted();
  };
  await expect(inParallel([aborted, failing], new AbortController().signal)).rejects.toThrow('first');
  expect(ended).toEqual(['aborted']);
});

test('the caller’s signal reaches every piece', async () => {
  const caller = AbortSignal.abort(new Error('left'));
  await expect(inParallel([async (signal) => signal.throwIfAborted()], caller)).rejects.toThrow('left');
});
