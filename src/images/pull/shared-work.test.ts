import { expect, test } from 'vitest';
import { SharedWork } from './shared-work.ts';

test('equal keys share, other keys do not', async () => {
  const shared = new SharedWork<number>();
  let starts = 0;
  const start = async (): Promise<number> => (starts += 1);
  expect(await Promise.all([shared.join('a', start, undefined), shared.join('a', start, undefined), shared.join('b', start, undefined)])).toEqual([1, 1, 2]);
  expect(await shared.join('a', start, undefined)).toBe(3);
});

test('the work is aborted when the last caller has left, and not before', async () => {
  const shared = new SharedWork<void>();
  let work: AbortSignal | undefined;
  const start = (signal: AbortSignal): Promise<void> => {
    work = signal;
    return new Promise(() => undefined);
  };
  const [first, second] = [new AbortController(), new AbortController()];
  const joined = [shared.join('a', start, first.signal), shared.join('a', start, second.signal)];
  first.abort(new Error('first left'));
  await expect(joined[0]).rejects.toThrow('first left');
  expect(work?.aborted).toBe(false);
  second.abort(new Error('second left'));
  await expect(joined[1]).rejects.toThrow('second left');
  expect(work?.aborted).toBe(true);
});

test('a newcomer does not join work that is being given up', async () => {
  const shared = new SharedWork<string>();
  const leaving = new AbortController();
  const left = shared.join('a', () => new Promise(() => undefined), leaving.signal);
  leaving.abort(new Error('left'));
  await expect(left).rejects.toThrow('left');
  expect(await shared.join('a', async () => 'new', undefined)).toBe('new');
});

test('a failure reaches every caller', async () => {
  const shared = new SharedWork<never>();
  const start = (): Promise<never> => Promise.reject(new Error('broken'));
  const results = await Promise.allSettled([shared.join('a', start, undefined), shared.join('a', start, undefined)]);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
});
