import { expect, test, vi } from 'vitest';
import { BerthError } from './errors.ts';
import { SingleFlight } from './single-flight.ts';

const never = new AbortController().signal;

test('callers of one name share an attempt, others do not', async () => {
  const flights = new SingleFlight<number>();
  const work = vi.fn<() => Promise<number>>(async () => 1);
  await Promise.all([flights.run('a', work, never), flights.run('a', work, never), flights.run('b', work, never)]);
  expect(work).toHaveBeenCalledTimes(2);
});

test('a newcomer waits until an abandoned attempt has cleaned up, and makes its own', async () => {
  const flights = new SingleFlight<string>();
  const log: string[] = [];
  const cleaned = Promise.withResolvers<void>();
  const leaving = new AbortController();
  const first = flights.run(
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
  const second = flights.run('a', async () => {
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
  const attempt = new SingleFlight<number>().run('a', async () => {
    leaving.abort(new Error('left'));
    return 5;
  }, leaving.signal);
  await expect(attempt).resolves.toBe(5);
});

test('the work goes on when one of two callers leaves, and is told to give up when both have', async () => {
  const flights = new SingleFlight<string>();
  let told: AbortSignal | undefined;
  const work = (signal: AbortSignal): Promise<string> => {
    told = signal;
    return new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        reject(new Error('given up'));
      });
    });
  };
  const [first, second] = [new AbortController(), new AbortController()];
  const joined = [flights.run('a', work, first.signal), flights.run('a', work, second.signal)];
  first.abort(new Error('first left'));
  await expect(joined[0]).rejects.toThrow('first left');
  expect(told?.aborted).toBe(false);
  second.abort(new Error('second left'));
  await expect(joined[1]).rejects.toThrow('given up');
});

test('a failure reaches every caller', async () => {
  const flights = new SingleFlight<never>();
  const work = (): Promise<never> => Promise.reject(new Error('broken'));
  const results = await Promise.allSettled([flights.run('a', work), flights.run('a', work)]);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
});

test('closing aborts what runs with the reason and refuses newcomers with it', async () => {
  const flights = new SingleFlight<void>();
  const running = flights.run('a', (signal) => new Promise((_, reject) => {
    signal.addEventListener('abort', () => {
      reject(signal.reason as Error);
    });
  }));
  const reason = new BerthError('unavailable', 'closing');
  await Promise.all([expect(running).rejects.toBe(reason), flights.close(reason)]);
  await expect(flights.run('b', async () => undefined)).rejects.toBe(reason);
});
