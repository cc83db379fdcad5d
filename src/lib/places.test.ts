import { expect, test } from 'vitest';
import { Places } from './places.ts';

const tick = (): Promise<void> => new Promise((resolve) => {
  setImmediate(resolve);
});

test('no more run than there are places, in the order in which they came', async () => {
  const places = new Places(2);
  const gates = [0, 1, 2, 3].map(() => Promise.withResolvers<void>());
  const started: number[] = [];
  const all = gates.map((gate, index) =>
    places.run(async () => {
      started.push(index);
      await gate.promise;
    }),
  );
  expect(started).toEqual([0, 1]);
  gates[1]?.resolve();
  await tick();
  expect(started).toEqual([0, 1, 2]);
  for (const gate of gates) gate.resolve();
  await Promise.all(all);
  expect(started).toEqual([0, 1, 2, 3]);
});

test('work that fails gives its place back', async () => {
  const places = new Places(1);
  await expect(places.run(async () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  await expect(places.run(async () => 1)).resolves.toBe(1);
});

test('who leaves the line takes no place, also when handed one in the same moment', async () => {
  const places = new Places(1);
  const gate = Promise.withResolvers<void>();
  const busy = places.run(() => gate.promise);
  const [leaving, late] = [new AbortController(), new AbortController()];
  const left = places.run(async () => 1, leaving.signal);
  const crossed = places.run(async () => 2, late.signal);
  leaving.abort(new Error('left'));
  await expect(left).rejects.toThrow('left');
  late.abort(new Error('crossed'));
  gate.resolve();
  await busy;
  await expect(crossed).rejects.toThrow('crossed');
  await expect(places.run(async () => 3)).resolves.toBe(3);
});

test('an aborted caller does not begin', async () => {
  await expect(new Places(1).run(async () => 1, AbortSignal.abort(new Error('early')))).rejects.toThrow('early');
});
