import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cgroupStats } from './testing/cgroup-stats.ts';
import { containerConfig, podConfig, security } from './testing/configs.ts';
import { World } from './testing/world.ts';

const signal = (): AbortSignal => AbortSignal.timeout(15_000);
const second = 1_000_000_000n;
const directory = '/my.slice/my-test.slice';

let world: World;
beforeEach(() => {
  world = new World({ cgroupDriver: 'systemd', defaultCgroupParent: 'berth.slice' }, { cgroupVersion: 2 });
});
afterEach(async () => {
  await world.close();
});

const shared = (cgroupParent: string): ReturnType<typeof podConfig> =>
  podConfig('web', { cgroupParent, security: security({ namespaces: { ...security().namespaces, pid: 'pod' } }) });

test.each(['my-test.slice', '/my.slice/my-test.slice', '/a/b/my-test.slice'])('container, pause process and statistics of the slice %s are in one place', async (parent) => {
  const engine = world.engine();
  const pod = await engine.pods.run(shared(parent), signal());
  const pause = join(world.config.cgroupRoot, directory, `berth-pause-${pod.id}`);
  expect([...world.agent.namespaces.values()]).toMatchObject([{ pauseCgroups: [pause] }]);
  const { id } = await engine.containers.create(pod.id, containerConfig('app'), signal());
  await engine.containers.start(id, signal());
  const scope = `${directory}/berth-${id}.scope`;
  world.agent.cgroups.set(scope, { path: scope, stats: cgroupStats(5n * second, 7n) });
  world.agent.cgroups.set(directory, { path: directory, stats: cgroupStats(5n * second, 77n) });
  expect(await engine.containers.stats(id, signal())).toMatchObject({ cgroupPath: scope, task: { cpu: { usageNs: 7n } } });
  expect(await engine.pods.stats(pod.id, signal())).toMatchObject({ cpuUsageNs: 77n });
  await engine.pods.stop(pod.id, signal());
  expect(existsSync(pause)).toBe(false);
});

test('pods that spell one slice in two ways share it', async () => {
  const engine = world.engine();
  const pod = await engine.pods.run(podConfig('one', { cgroupParent: 'my-test.slice' }), signal());
  await engine.pods.run(podConfig('two', { cgroupParent: directory }), signal());
  world.agent.cgroups.set(directory, { path: directory, stats: cgroupStats(5n * second, 77n) });
  expect(await engine.pods.stats(pod.id, signal())).toMatchObject({ cpuUsageNs: 0n });
});

test.each(['/test', '/kubepods/burstable/pod1'])('%s, a parent that fits cgroupfs, is refused', async (parent) => {
  await expect(world.engine().pods.run(podConfig('web', { cgroupParent: parent }), signal())).rejects.toMatchObject({ kind: 'invalid', message: expect.stringContaining('slice') });
});
