import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { RunningEngine } from '../engine.ts';
import type { Pod } from '../model/pod.ts';
import { containerConfig, podConfig } from '../testing/configs.ts';
import { World } from '../testing/world.ts';
import { CpuRates } from './cpu-rates.ts';

const signal = (): AbortSignal => AbortSignal.timeout(5000);
const all = { id: '', podId: '', state: undefined, labels: {} } as const;
const second = 1_000_000_000n;

let world: World;
let engine: RunningEngine;
let pod: Pod;

beforeEach(async () => {
  world = new World();
  engine = world.engine();
  pod = await engine.pods.run(podConfig('web'), signal());
});

afterEach(async () => {
  await world.close();
});

async function running(name: string): Promise<string> {
  const { id } = await engine.containers.create(pod.id, containerConfig(name), signal());
  await engine.containers.start(id, signal());
  return id;
}

test('readings of a container, with its rate once two of them are a second apart', async () => {
  const id = await running('app');
  const shim = world.shims.get(id);
  shim.readings = { atNs: 10n * second, cpuNs: second };
  await expect(engine.containers.stats(id, signal())).resolves.toMatchObject({ id, usageNanoCores: undefined, writableLayer: { bytes: 4096, inodes: 3 }, writableLayerMountpoint: world.config.stateRoot });
  shim.readings = { atNs: 12n * second, cpuNs: 2n * second };
  await expect(engine.containers.stats(id, signal())).resolves.toMatchObject({ usageNanoCores: second / 2n, task: { memory: { workingSetBytes: 8n } } });
});

test('a layer that takes long to measure delays no statistics; the last known usage stands in', async () => {
  const id = await running('app');
  let gate = Promise.withResolvers<void>();
  const usage = vi.spyOn(world.snapshotter, 'usage').mockImplementation(async () => {
    await gate.promise;
    return { bytes: 1 << 30, inodes: 9 };
  });
  await expect(engine.containers.stats(id, signal())).resolves.toMatchObject({ writableLayer: { bytes: 0, inodes: 0 } });
  gate.resolve();
  await expect(engine.containers.stats(id, signal())).resolves.toMatchObject({ writableLayer: { bytes: 1 << 30, inodes: 9 } });
  expect(usage).toHaveBeenCalledTimes(1);
  gate = Promise.withResolvers();
  await expect(engine.containers.stats(id, signal())).resolves.toMatchObject({ writableLayer: { bytes: 1 << 30, inodes: 9 } });
  gate.resolve();
});

test('rates: a short window repeats the last one, a counter that went back begins anew', () => {
  const rates = new CpuRates();
  expect(rates.rate('a', 0n, 0n)).toBeUndefined();
  expect(rates.rate('a', second, 100n)).toBe(100n);
  expect(rates.rate('a', second + 5n, 900n)).toBe(100n);
  expect(rates.rate('a', 3n * second, 300n)).toBe(100n);
  expect(rates.rate('a', 4n * second, 10n)).toBeUndefined();
  rates.forget('a');
  expect(rates.rate('a', 9n * second, 1n)).toBeUndefined();
});

test('a list has the running containers; one that hangs is left out and costs its deadline at most', async () => {
  const [fine, frozen] = [await running('fine'), await running('frozen')];
  await engine.containers.create(pod.id, containerConfig('created'), signal());
  world.shims.get(frozen).frozen = true;
  const startMs = performance.now();
  const stats = await engine.containers.listStats(all, signal());
  expect(stats.map(({ id }) => id)).toEqual([fine]);
  expect(performance.now() - startMs).toBeLessThan(3000);
});

test('a list of containers or pods never asks a shim', async () => {
  const id = await running('frozen');
  world.shims.get(id).frozen = true;
  expect(engine.containers.list(all)).toHaveLength(1);
  expect(engine.pods.list({ id: '', state: 'ready', labels: {} })).toHaveLength(1);
});

test('a pod sums its containers and reads its interfaces', async () => {
  await running('a');
  await running('b');
  const stats = await engine.pods.stats(pod.id, signal());
  expect(stats).toMatchObject({ id: pod.id, memoryWorkingSetBytes: 16n, memoryPageFaults: 10n, processCount: 4n, interfaces: [{ name: 'eth0', rxBytes: 7n }] });
  expect(stats.containers).toHaveLength(2);
  await expect(engine.pods.listStats({ id: '', state: undefined, labels: {} }, signal())).resolves.toHaveLength(1);
  await engine.pods.stop(pod.id, signal());
  await expect(engine.pods.listStats({ id: '', state: undefined, labels: {} }, signal())).resolves.toEqual([]);
});

test('a container that does not run has no statistics', async () => {
  const { id } = await engine.containers.create(pod.id, containerConfig('created'), signal());
  await expect(engine.containers.stats(id, signal())).rejects.toMatchObject({ kind: 'precondition' });
  await expect(engine.containers.stats('feed', signal())).rejects.toMatchObject({ kind: 'not-found' });
});
