import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isKind } from '../lib/errors.ts';
import { failing, frozen } from './testing/fake-shim.ts';
import { failure, launcherFixture, methods } from './testing/launcher-fixture.ts';

const fixture = launcherFixture();
const { shimOf, attached } = fixture;

test('wait survives one broken connection', async () => {
  const exit = Promise.withResolvers<object>();
  const shim = await shimOf({ wait: () => exit.promise });
  const wait = (await attached(shim)).wait();
  await expect.poll(() => shim.names()).toEqual(['state', 'wait']);
  shim.hangUp();
  await expect.poll(() => shim.names()).toEqual(['state', 'wait', 'wait']);
  exit.resolve({ exitStatus: 3, exitedAt: { seconds: 5, nanos: 7 } });
  expect(await wait).toEqual({ exitCode: 3, exitedAtNs: 5_000_000_007n, oomKilled: false });
});

test('a frozen shim costs the caller of stats two seconds and nobody else anything', async () => {
  const stuck = await attached(await shimOf({ stats: frozen }));
  const value = methods.metricsV2.encode({ pids: { current: 3n, limit: 0n }, cpu: null, memory: null, io: null, hugetlb: [], memoryEvents: null });
  const healthy = await attached(await shimOf({ stats: async () => ({ stats: { type_url: 'io.containerd.cgroups.v2.Metrics', value } }) }));
  const began = performance.now();
  const late = failure(stuck.stats());
  expect(await Promise.race([late, healthy.stats()])).toMatchObject({ pids: { current: 3n } });
  expect(isKind(await late, 'timeout')).toBe(true);
  expect(performance.now() - began).toBeLessThan(3000);
});

test('a process that is not there any more takes a signal as success, other failures do not', async () => {
  const gone = await attached(await shimOf({ kill: failing('not-found', 'process already finished') }));
  await gone.kill(15, { all: true });
  const bad = await attached(await shimOf({ kill: failing('precondition', 'no') }));
  expect(isKind(await failure(bad.kill(15, { all: true })), 'precondition')).toBe(true);
});

test('remove deletes and shuts down; a shim that is gone is buried instead', async () => {
  const shim = await shimOf({ delete: failing('not-found', 'gone') });
  await (await attached(shim)).remove();
  expect(shim.names()).toEqual(['state', 'delete', 'shutdown']);
  const dead = await shimOf();
  const task = await attached(dead);
  await dead.die();
  await task.remove();
  expect(fixture.commands.execs.at(-1)?.argv.at(-1)).toBe('delete');
  expect(fixture.commands.unmounted).toEqual([join(fixture.directory, 'c1/rootfs')]);
  rmSync(join(fixture.directory, 'c1'), { recursive: true });
  await fixture.launcher.bury(task.handle);
  expect(fixture.commands.execs.at(-1)).toMatchObject({ cwd: join(fixture.directory, 'c1') });
  expect(JSON.parse(readFileSync(join(fixture.directory, 'c1/runtime.json'), 'utf8'))).toEqual({ binary: '/usr/bin/crun', root: '/run/crun', systemdCgroup: false });
});

test('what only our shim can do', async () => {
  const ours = await attached(await shimOf({ describe: async () => ({ micros: { rootfs: 1500, start: 20 } }) }));
  expect(await ours.startPhases()).toEqual({ rootfs: 1.5, start: 0.02 });
  await ours.reopenLog();
  const shim = await shimOf();
  await (await attached(shim)).endExecs();
  expect(shim.names()).toEqual(['state', 'endExecs']);
  const foreign = await shimOf();
  await (await attached(foreign, 'foreign')).endExecs();
  expect(foreign.names()).toEqual(['state']);
  expect(await (await attached(await shimOf(), 'foreign')).startPhases()).toEqual({});
});
