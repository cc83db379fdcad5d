import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RunningEngine } from '../../engine/engine.ts';
import type { PodEvent } from './pod-event.ts';
import { containerConfig, podConfig } from '../../engine/testing/configs.ts';
import { World } from '../../engine/testing/world.ts';
import { EventHub } from './event-hub.ts';
import { podEvents } from './pod-events.ts';

const signal = (): AbortSignal => AbortSignal.timeout(15_000);
const numbered = (atNs: bigint): PodEvent => ({ type: 'created', containerId: 'c', atNs, pod: undefined, containers: [] });

let world: World;
let engine: RunningEngine;

beforeEach(() => {
  world = new World();
  engine = world.engine();
});

afterEach(async () => {
  await world.close();
});

test('a life in events, each told after the store shows it; subscribing is at once', async () => {
  const abort = new AbortController();
  const seen: string[] = [];
  const subscription = podEvents(engine.of('cri')).subscribe(abort.signal);
  const reading = (async () => {
    for await (const { type, containerId, pod, containers } of subscription) {
      const container = containers.find(({ id }) => id === containerId);
      seen.push(`${container === undefined ? 'pod' : 'container'} ${type} ${container?.state ?? pod?.state ?? 'gone'}`);
    }
  })();
  const pod = await engine.pods.run(podConfig('web'), signal());
  const { id } = await engine.containers.create(pod.id, containerConfig('app'), signal());
  await engine.containers.start(id, signal());
  await engine.containers.stop(id, 100, signal());
  await engine.pods.remove(pod.id, signal());
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
  abort.abort();
  await reading;
  expect(seen).toEqual([
    'pod created ready',
    'pod started ready',
    'container created created',
    'container started running',
    'container stopped exited',
    'pod stopped notready',
    'pod deleted notready', // the container, which is no longer among the pod's
    'pod deleted gone',
  ]);
});

test('every reader gets every event, and one that leaves gets no more', async () => {
  const hub = new EventHub();
  const [a, b] = [new AbortController(), new AbortController()];
  const [fromA, fromB] = [hub.subscribe(a.signal)[Symbol.asyncIterator](), hub.subscribe(b.signal)[Symbol.asyncIterator]()];
  const first = fromA.next();
  hub.publish(numbered(1n));
  await expect(first).resolves.toMatchObject({ value: { atNs: 1n } });
  await expect(fromB.next()).resolves.toMatchObject({ value: { atNs: 1n } });
  const waiting = fromA.next();
  a.abort();
  b.abort();
  await expect(waiting).resolves.toMatchObject({ done: true });
  expect(hub.readers).toBe(0);
});

test('leaving the loop ends the subscription', async () => {
  const hub = new EventHub();
  const events = hub.subscribe(signal());
  hub.publish(numbered(1n));
  for await (const event of events) {
    expect(event.atNs).toBe(1n);
    break;
  }
  expect(hub.readers).toBe(0);
});

test('a reader that lags by more than a thousand events is cut off; the others go on', async () => {
  const hub = new EventHub();
  const slow = hub.subscribe(signal())[Symbol.asyncIterator]();
  const quick = hub.subscribe(signal())[Symbol.asyncIterator]();
  for (let at = 1n; at <= 1001n; at += 1n) {
    hub.publish(numbered(at));
    await expect(quick.next()).resolves.toMatchObject({ value: { atNs: at } });
  }
  await expect(slow.next()).rejects.toMatchObject({ kind: 'exhausted' });
  expect(hub.readers).toBe(1);
});

const atsOf = async (hub: EventHub, count: number): Promise<readonly bigint[]> => {
  const events = hub.subscribe(signal())[Symbol.asyncIterator]();
  const seen: bigint[] = [];
  for (let left = count; left > 0; left -= 1) seen.push((await events.next()).value?.atNs ?? -1n);
  await events.return?.();
  return seen;
};

test('the first reader hears what nobody has heard, in order and before anything new; the second does not', async () => {
  const hub = new EventHub();
  hub.publish(numbered(1n));
  hub.publish(numbered(2n));
  const first = hub.subscribe(signal())[Symbol.asyncIterator]();
  const second = hub.subscribe(signal())[Symbol.asyncIterator]();
  hub.publish(numbered(3n));
  for (const atNs of [1n, 2n, 3n]) await expect(first.next()).resolves.toMatchObject({ value: { atNs } });
  await expect(second.next()).resolves.toMatchObject({ value: { atNs: 3n } });
});

test('what a reader left behind is gone, what comes while nobody reads is kept', async () => {
  const hub = new EventHub();
  await hub.subscribe(signal())[Symbol.asyncIterator]().return?.();
  hub.publish(numbered(7n));
  expect(await atsOf(hub, 1)).toEqual([7n]);
  hub.publish(numbered(8n));
  expect(await atsOf(hub, 1)).toEqual([8n]);
});

test('kept events grow old after five minutes', async () => {
  let nowMs = 0;
  const hub = new EventHub({ events: 10, bytes: 1 << 20 }, () => nowMs);
  hub.publish(numbered(1n));
  nowMs = 200_000;
  hub.publish(numbered(2n));
  nowMs = 300_001;
  hub.publish(numbered(3n));
  expect(await atsOf(hub, 2)).toEqual([2n, 3n]);
});

test('kept events are bounded in number and in bytes', async () => {
  const few = new EventHub({ events: 2, bytes: 1 << 20 });
  for (const at of [1n, 2n, 3n]) few.publish(numbered(at));
  expect(await atsOf(few, 2)).toEqual([2n, 3n]);
  const pod = await engine.pods.run({ ...podConfig('web'), annotations: { long: 'x'.repeat(4000) } }, signal());
  const small = new EventHub({ events: 1000, bytes: 11_000 });
  for (const at of [1n, 2n, 3n]) small.publish({ ...numbered(at), pod });
  expect(await atsOf(small, 2)).toEqual([2n, 3n]);
});

test('a subscription under an aborted signal is over', async () => {
  const events = new EventHub().subscribe(AbortSignal.abort())[Symbol.asyncIterator]();
  await expect(events.next()).resolves.toMatchObject({ done: true });
});
