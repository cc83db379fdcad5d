import { beforeEach, expect, test, vi } from 'vitest';
import { Background } from './background.ts';

const warn = vi.fn<(fields: unknown, message: string) => void>();
let background: Background;

beforeEach(() => {
  warn.mockReset();
  background = new Background({ info: () => undefined, warn, error: () => undefined });
});

test('what fails is logged and disturbs nobody', async () => {
  background.run('counting', { item: 1 }, async () => Promise.reject(new Error('no')));
  await background.settled();
  expect(warn).toHaveBeenCalledWith(expect.objectContaining({ item: 1 }), 'counting failed');
});

test('a retry goes on until it succeeds', async () => {
  const work = vi.fn<() => Promise<void>>(async () => undefined).mockRejectedValueOnce(new Error('no'));
  background.retry('counting', {}, work);
  await vi.waitFor(() => {
    expect(work).toHaveBeenCalledTimes(2);
  }, 5000);
  await background.settled();
  expect(warn).toHaveBeenCalledTimes(1);
});

test('closing ends what runs, without a complaint', async () => {
  background.run('waiting', {}, (signal) => new Promise((_, reject) => {
    signal.addEventListener('abort', () => {
      reject(new Error('aborted'));
    });
  }));
  background.retry('counting', {}, async () => undefined);
  background.close();
  await background.settled();
  expect(warn).not.toHaveBeenCalled();
});

test('closing in the middle of a repeated attempt is no failure of it', async () => {
  background.retry('counting', {}, async (signal) => {
    background.close();
    signal.throwIfAborted();
  });
  await background.settled();
  expect(warn).not.toHaveBeenCalled();
});
