import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createLimit } from './limit.ts';

test('no more at a time than there are places', async () => {
  const limit = createLimit(2);
  let running = 0;
  let most = 0;
  const results = await Promise.all(
    [1, 2, 3, 4, 5].map((number) =>
      limit.run(async () => {
        running += 1;
        most = Math.max(most, running);
        await sleep(5);
        running -= 1;
        return number;
      }),
    ),
  );
  expect(results).toEqual([1, 2, 3, 4, 5]);
  expect(most).toBe(2);
});

test('a failure frees its place', async () => {
  const limit = createLimit(1);
  await expect(limit.run(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  expect(await limit.run(async () => 'next')).toBe('next');
});

test('who leaves while waiting never starts', async () => {
  const limit = createLimit(1);
  const gate = Promise.withResolvers<void>();
  const first = limit.run(() => gate.promise);
  const leaving = new AbortController();
  let started = false;
  const left = limit.run(async () => {
    started = true;
  }, leaving.signal);
  leaving.abort(new Error('gone'));
  await expect(left).rejects.toThrow('gone');
  gate.resolve();
  await first;
  await limit.run(async () => undefined);
  expect(started).toBe(false);
});

test('an abort does not cut running work off', async () => {
  const limit = createLimit(1);
  const leaving = new AbortController();
  const work = limit.run(() => sleep(20, 'done'), leaving.signal);
  await sleep(5);
  leaving.abort();
  expect(await work).toBe('done');
});
