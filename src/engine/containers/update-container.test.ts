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
