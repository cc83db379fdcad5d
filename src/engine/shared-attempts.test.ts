import { expect, test, vi } from 'vitest';
import { SharedAttempts } from './shared-attempts.ts';

const never = new AbortController().signal;

test('callers of one name share an attempt, others do not', async () => {
  const attempts = new SharedAttempts<number>();
  const work = vi.fn<() => Promise<number>>(async () => 1);
  await Promise.all([attempts.run('a', work, never), attempts.run('a', work, never), attempts.run('b', work, never)]);
  expect(work).toHaveBeenCalledTimes(2);
});

test('a newcomer waits until an abandoned attempt has cleaned up, and makes its own', async () => {
  const attempts = new SharedAttempts<string>();
  const log: string[] = [];
  const cleaned = Promise.withResolvers<void>();
  const leaving = new AbortController();
  const first = attempts.run(
    'a',
    async (signal) => {
      await new Promise((resolve) => {
        signal.addEventListener('abort', resolve);
      });
      await cleaned.promise;
      log.push('cleaned');
      throw new Error('given up');
    },
    leaving.signal,
  );
  leaving.abort();
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
  const second = attempts.run('a', async () => {
    log.push('second');
    return 'done';
  }, never);
  cleaned.resolve();
  await expect(first).rejects.toThrow('given up');
  await expect(second).resolves.toBe('done');
  expect(log).toEqual(['cleaned', 'second']);
});

test('an attempt that ends well just as its caller leaves has succeeded', async () => {
  const leaving = new AbortController();
  const attempt = new SharedAttempts<number>().run('a', async () => {
    leaving.abort(new Error('left'));
    return 5;
  }, leaving.signal);
  await expect(attempt).resolves.toBe(5);
});
