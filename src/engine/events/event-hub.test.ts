import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RunningEngine } from '../engine.ts';
import type { EngineEvent } from '../model/event.ts';
import { containerConfig, podConfig } from '../testing/configs.ts';
import { World } from '../testing/world.ts';
import { EventHub } from './event-hub.ts';

const signal = (): AbortSignal => AbortSignal.timeout(5000);
const numbered = (atNs: bigint): EngineEvent => ({ type: 'created', containerId: 'c', atNs, pod: undefined, containers: [] });

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
  const subscription = engine.events(abort.signal);
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
  expect(hub.hasReaders).toBe(false);
});

test('leaving the loop ends the subscription', async () => {
  const hub = new EventHub();
  const events = hub.subscribe(signal());
  hub.publish(numbered(1n));
  for await (const event of events) {
    expect(event.atNs).toBe(1n);
    break;
  }
  expect(hub.hasReaders).toBe(false);
});

test('a reader that lags loses the oldest events', async () => {
  const hub = new EventHub();
  const events = hub.subscribe(signal())[Symbol.asyncIterator]();
  for (let at = 1n; at <= 1003n; at += 1n) hub.publish(numbered(at));
  await expect(events.next()).resolves.toMatchObject({ value: { atNs: 4n } });
});

test('a subscription under an aborted signal is over', async () => {
  const events = new EventHub().subscribe(AbortSignal.abort())[Symbol.asyncIterator]();
  await expect(events.next()).resolves.toMatchObject({ done: true });
});
