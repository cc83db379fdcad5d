import { expect, test } from 'vitest';
import { noResources } from '../testing/configs.ts';
import { containersFixture, signal } from '../testing/containers-fixture.ts';

const fixture = containersFixture();
const { create, running, specOf } = fixture;

test('no CPU quota is told as -1, which the spec of a new cgroup leaves out', async () => {
  const { id } = await create({ resources: { ...noResources, cpuQuota: -1, cpuPeriod: 100_000 } });
  expect(specOf(id).linux.resources.cpu).toEqual({ period: 100_000 });
  await fixture.engine.containers.update(id, { ...noResources, cpuQuota: 20_000 }, signal());
  expect(specOf(id).linux.resources.cpu).toEqual({ period: 100_000, quota: 20_000 });
  await fixture.engine.containers.update(id, { ...noResources, cpuQuota: -1 }, signal());
  expect(specOf(id).linux.resources.cpu).toEqual({ period: 100_000 });
  expect(fixture.engine.containers.get(id).resources.cpuQuota).toBe(-1);
});

test('update: spec, cgroup and record change together, and what is not asked stays', async () => {
  const id = await running({ resources: { ...noResources, cpuShares: 100, memoryLimitBytes: 1 << 26 } });
  await fixture.engine.containers.update(id, { ...noResources, cpuQuota: 20_000 }, signal());
  expect(fixture.engine.containers.get(id).resources).toMatchObject({ cpuShares: 100, memoryLimitBytes: 1 << 26, cpuQuota: 20_000 });
  expect(specOf(id).linux.resources).toMatchObject({ cpu: { shares: 100, quota: 20_000 }, memory: { limit: 1 << 26 } });
  expect(specOf(id).linux.resources.devices).not.toEqual([]);
  expect(fixture.world.shims.get(id).updates).toEqual([{ memory: {}, cpu: { quota: 20_000 } }]);
});

const MiB = 1 << 20;

test('a limit of memory without one of swap takes swap along, up and down, in spec, cgroup and record', async () => {
  const id = await running({ resources: { ...noResources, memoryLimitBytes: 64 * MiB } });
  expect(specOf(id).linux.resources.memory).toEqual({ limit: 64 * MiB, swap: 64 * MiB });
  for (const limit of [128 * MiB, 32 * MiB]) {
    await fixture.engine.containers.update(id, { ...noResources, memoryLimitBytes: limit }, signal());
    expect(specOf(id).linux.resources.memory).toEqual({ limit, swap: limit });
    expect(fixture.world.shims.get(id).updates.at(-1)).toMatchObject({ memory: { limit, swap: limit } });
  }
  await fixture.engine.containers.update(id, { ...noResources, memorySwapLimitBytes: 48 * MiB }, signal());
  // The runtime needs both to know how much of it is swap.
  expect(fixture.world.shims.get(id).updates.at(-1)).toMatchObject({ memory: { limit: 32 * MiB, swap: 48 * MiB } });
  expect(fixture.engine.containers.get(id).resources).toMatchObject({ memoryLimitBytes: 32 * MiB, memorySwapLimitBytes: 48 * MiB });
  await fixture.engine.containers.update(id, { ...noResources, memoryLimitBytes: 16 * MiB }, signal());
  expect(fixture.engine.containers.get(id).resources).toMatchObject({ memoryLimitBytes: 16 * MiB, memorySwapLimitBytes: 16 * MiB });
});

test('a limit of swap that cannot hold is refused before anything changes', async () => {
  const refused = { kind: 'invalid', message: expect.stringContaining('memory_swap_limit_in_bytes') };
  await expect(create({ resources: { ...noResources, memorySwapLimitBytes: 64 * MiB } })).rejects.toMatchObject(refused);
  await expect(create({ resources: { ...noResources, memoryLimitBytes: 64 * MiB, memorySwapLimitBytes: 63 * MiB } })).rejects.toMatchObject(refused);
  const id = await running({ resources: { ...noResources, memoryLimitBytes: 64 * MiB } });
  await expect(fixture.engine.containers.update(id, { ...noResources, memorySwapLimitBytes: 32 * MiB }, signal())).rejects.toMatchObject(refused);
  await expect(fixture.engine.containers.update(id, { ...noResources, memoryLimitBytes: -1, memorySwapLimitBytes: 32 * MiB }, signal())).rejects.toMatchObject(refused);
  expect(fixture.world.shims.get(id).updates).toEqual([]);
  await fixture.engine.containers.update(id, { ...noResources, memorySwapLimitBytes: -1 }, signal());
  expect(specOf(id).linux.resources.memory).toEqual({ limit: 64 * MiB, swap: -1 });
});

test('update of a created container reaches its spec; a refused one changes nothing', async () => {
  const { id } = await create();
  await fixture.engine.containers.update(id, { ...noResources, cpuShares: 7 }, signal());
  expect(specOf(id).linux.resources.cpu).toEqual({ shares: 7 });
  await fixture.engine.containers.start(id, signal());
  fixture.world.shims.get(id).refusesUpdates = true;
  await expect(fixture.engine.containers.update(id, { ...noResources, cpuShares: 9 }, signal())).rejects.toThrow('refused');
  expect(specOf(id).linux.resources.cpu).toEqual({ shares: 7 });
  expect(fixture.engine.containers.get(id).resources.cpuShares).toBe(7);
  await fixture.engine.containers.stop(id, 0, signal());
  await expect(fixture.engine.containers.update(id, noResources, signal())).rejects.toMatchObject({ kind: 'precondition' });
});

test('update of the OOM score reaches spec, processes and record, and is taken back when the limits are refused', async () => {
  const id = await running({ resources: { ...noResources, oomScoreAdj: 500 } });
  const shim = fixture.world.shims.get(id);
  await fixture.engine.containers.update(id, { ...noResources, oomScoreAdj: 600 }, signal());
  expect(shim.scores).toEqual([{ from: 500, to: 600 }]);
  expect(specOf(id).process.oomScoreAdj).toBe(600);
  expect(fixture.engine.containers.get(id).resources.oomScoreAdj).toBe(600);
  shim.refusesUpdates = true;
  await expect(fixture.engine.containers.update(id, { ...noResources, oomScoreAdj: 700 }, signal())).rejects.toThrow('refused');
  expect(shim.scores.slice(1)).toEqual([{ from: 600, to: 700 }, { from: 700, to: 600 }]);
  expect(specOf(id).process.oomScoreAdj).toBe(600);
  expect(fixture.engine.containers.get(id).resources.oomScoreAdj).toBe(600);
});
