import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { systemClock } from '../../lib/clock.ts';
import { digestOf } from '../../oci/digest.ts';
import { ProgressTracker } from './progress.ts';
import { PullPlaces } from './pull-places.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const signal = new AbortController().signal;
const descriptor = { digest: digestOf('x'), mediaType: '', size: 1_000_000, annotations: {}, platform: undefined };

interface Pull {
  readonly tracker: ProgressTracker;
  readonly started: boolean;
  end(): void;
}

/** A pull that goes on until it is ended. */
function begin(places: PullPlaces, registry: string): Pull {
  const tracker = new ProgressTracker(systemClock);
  tracker.plan([{ descriptor, diffId: digestOf('y'), snapshot: '' as never, parent: undefined }]);
  const gate = Promise.withResolvers<void>();
  const pull = { tracker, started: false, end: gate.resolve };
  void places.run({ registry, tracker }, async () => {
    pull.started = true;
    await gate.promise;
  }, signal);
  return pull;
}

const startedOf = async (pulls: readonly Pull[]): Promise<readonly boolean[]> => {
  await vi.advanceTimersByTimeAsync(0);
  return pulls.map(({ started }) => started);
};

test('one registry leaves a quarter of the places to others', async () => {
  const places = new PullPlaces({ places: 4, minRate: 100 });
  const slow = [1, 2, 3, 4].map(() => begin(places, 'slow.example'));
  const other = begin(places, 'other.example');
  expect(await startedOf([...slow, other])).toEqual([true, true, true, false, true]);
  slow[0]?.end();
  expect(await startedOf(slow)).toEqual([true, true, true, true]);
});

test('pulls that bring next to nothing give their places to others, and not to more of their own registry', async () => {
  const places = new PullPlaces({ places: 2, minRate: 100 });
  const slow = ['a', 'a', 'b', 'b', 'c'].map((registry) => begin(places, registry));
  expect(await startedOf(slow)).toEqual([true, false, true, false, false]);
  for (const { tracker } of slow) tracker.downloaded(0, 10);
  await vi.advanceTimersByTimeAsync(5000);
  expect(await startedOf(slow)).toEqual([true, false, true, false, true]);
});

test('one that goes on keeps its place until it stalls', async () => {
  const places = new PullPlaces({ places: 1, minRate: 100 });
  const [quick, next] = [begin(places, 'a'), begin(places, 'b')];
  for (let bytes = 1000; bytes <= 5000; bytes += 1000) {
    quick.tracker.downloaded(0, bytes);
    await vi.advanceTimersByTimeAsync(5000);
    expect(next.started).toBe(false);
  }
  await vi.advanceTimersByTimeAsync(5000);
  expect(next.started).toBe(true);
});
