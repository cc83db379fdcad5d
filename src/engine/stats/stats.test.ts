import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { SnapshotKey } from '../../lib/ids.ts';
import type { RunningEngine } from '../engine.ts';
import type { Pod } from '../model/pod.ts';
import { cgroupStats } from '../testing/cgroup-stats.ts';
import { containerConfig, podConfig } from '../testing/configs.ts';
import { World } from '../testing/world.ts';
import { CpuRates } from './cpu-rates.ts';

const signal = (): AbortSignal => AbortSignal.timeout(15_000);
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

test('a layer that cannot be measured costs nobody the statistics; the last known usage stands in, with one warning', async () => {
  const [id, other] = [await running('app'), await running('other')];
  const warned = (): number => world.warnings.filter((text) => text.startsWith('what a container has written')).length;
  await engine.containers.listStats({}, signal());
  world.snapshotter.snapshots.delete(id as SnapshotKey);
  for (let poll = 0; poll < 3; poll += 1) {
    const stats = await engine.containers.listStats({}, signal());
    expect(stats.map((each) => [each.id, each.writableLayer.bytes]).toSorted()).toEqual([[id, 4096], [other, 4096]].toSorted());
  }
  expect(warned()).toBe(1);
  vi.spyOn(world.snapshotter, 'usage').mockRejectedValue(new Error('ELOOP'));
  const late = await running('late');
  await expect(engine.containers.stats(late, signal())).resolves.toMatchObject({ writableLayer: { bytes: 0, inodes: 0 } });
  expect(warned()).toBe(2);
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

/** The agent reads the container's cgroup from now on. */
function countedByKernel(id: string, cpuNs: bigint): void {
  world.agent.cgroups.set(`/berth/${id}`, { path: `/berth/${id}`, stats: cgroupStats(5n * second, cpuNs) });
}

test('our own containers are read from their cgroups, and their shims are left in peace', async () => {
  const id = await running('app');
  countedByKernel(id, second);
  world.shims.get(id).frozen = true;
  const [stats] = await engine.containers.listStats({}, signal());
  expect(stats).toMatchObject({ id, cgroupPath: `/berth/${id}`, task: { cpu: { usageNs: second } } });
  expect(world.shims.get(id).statsAsked).toBe(0);
});

test('a foreign shim is asked itself, whatever its cgroup counts', async () => {
  world.shims.foreign.add('runc');
  const foreign = await engine.pods.run({ ...podConfig('vm'), runtimeHandler: 'runc' }, signal());
  const { id } = await engine.containers.create(foreign.id, containerConfig('app'), signal());
  await engine.containers.start(id, signal());
  countedByKernel(id, 99n * second);
  world.shims.get(id).readings = { atNs: second, cpuNs: 3n };
  await expect(engine.containers.stats(id, signal())).resolves.toMatchObject({ cgroupPath: '', task: { cpu: { usageNs: 3n } } });
});

test('callers that poll a frozen shim wait for one answer together', async () => {
  const frozen = await running('frozen');
  world.shims.get(frozen).frozen = true;
  const polls = await Promise.all(Array.from({ length: 50 }, async () => engine.containers.listStats({}, signal())));
  expect(polls.flat()).toEqual([]);
  expect(world.shims.get(frozen).statsAsked).toBe(1);
  await expect(engine.containers.stats(frozen, signal())).rejects.toMatchObject({ kind: 'unavailable' });
});

test('a pod whose cgroup no other pod shares is counted there; else its containers are summed', async () => {
  const own = await engine.pods.run({ ...podConfig('own'), cgroupParent: '/kubepods/own' }, signal());
  const memory = { ...cgroupStats(0n, 0n).memory, limitBytes: 100n };
  world.agent.cgroups.set('/kubepods/own', { path: '/kubepods/own', stats: { ...cgroupStats(5n * second, 77n), memory } });
  await expect(engine.pods.stats(own.id, signal())).resolves.toMatchObject({ cpuUsageNs: 77n, memoryLimitBytes: 100n, processCount: 2n, timestampNs: 5n * second });
  await engine.pods.run({ ...podConfig('other'), cgroupParent: '/kubepods/own' }, signal());
  await expect(engine.pods.stats(own.id, signal())).resolves.toMatchObject({ cpuUsageNs: 0n, memoryLimitBytes: undefined, processCount: 0n });
});

test('a pod whose network cannot be read keeps its other statistics', async () => {
  await running('app');
  vi.spyOn(world.agent, 'networkStats').mockRejectedValue(new Error('no namespace'));
  await expect(engine.pods.listStats({}, signal())).resolves.toMatchObject([{ id: pod.id, interfaces: [], processCount: 2n }]);
  expect(world.warnings).toContain("a pod's network is left out of its statistics");
});

test('measuring looks at processes and at the filesystem that containers write to', async () => {
  const id = await running('app');
  countedByKernel(id, second);
  const { pods, filesystem } = await engine.pods.measure(signal());
  expect(filesystem).toMatchObject({ device: '/dev/vda', inodesFree: 900n });
  expect(pods).toMatchObject([{ id: pod.id, containers: [{ id, task: { processes: { fileDescriptors: 9n, sockets: 1n } } }] }]);
});

test('a list has the running containers; one that hangs is left out and costs its deadline at most', async () => {
  const [fine, frozen] = [await running('fine'), await running('frozen')];
  await engine.containers.create(pod.id, containerConfig('created'), signal());
  world.shims.get(frozen).frozen = true;
  const startMs = performance.now();
  const stats = await engine.containers.listStats({}, signal());
  expect(stats.map(({ id }) => id)).toEqual([fine]);
  expect(performance.now() - startMs).toBeLessThan(3000);
});

test('a list of containers or pods never asks a shim', async () => {
  const id = await running('frozen');
  world.shims.get(id).frozen = true;
  expect(engine.containers.list()).toHaveLength(1);
  expect(engine.pods.list({ state: 'ready' })).toHaveLength(1);
});

test('a pod sums its containers and reads its interfaces', async () => {
  await running('a');
  await running('b');
  const stats = await engine.pods.stats(pod.id, signal());
  expect(stats).toMatchObject({ id: pod.id, memoryWorkingSetBytes: 16n, memoryPageFaults: 10n, processCount: 4n, interfaces: [{ name: 'eth0', rxBytes: 7n }] });
  expect(stats.containers).toHaveLength(2);
  await expect(engine.pods.listStats({}, signal())).resolves.toHaveLength(1);
  await engine.pods.stop(pod.id, signal());
  await expect(engine.pods.listStats({}, signal())).resolves.toEqual([]);
});

test('a container that does not run has no statistics', async () => {
  const { id } = await engine.containers.create(pod.id, containerConfig('created'), signal());
  await expect(engine.containers.stats(id, signal())).rejects.toMatchObject({ kind: 'precondition' });
  await expect(engine.containers.stats('feed', signal())).rejects.toMatchObject({ kind: 'not-found' });
});
