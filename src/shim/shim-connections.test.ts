import { expect, test } from 'vitest';
import { isKind } from '../lib/errors.ts';
import { frozen } from './testing/fake-shim.ts';
import { failure, launcherFixture } from './testing/launcher-fixture.ts';

const fixture = launcherFixture();
const { shimOf, attached } = fixture;

test('hundreds of shims are asked at once; a bounded number of idle sockets stays', async () => {
  const many = await Promise.all(Array.from({ length: 300 }, () => shimOf()));
  const tasks = await Promise.all(many.map((shim) => attached(shim)));
  await Promise.all(tasks.map((task) => task.kill(15, { all: false })));
  await expect.poll(() => many.reduce((sum, shim) => sum + shim.connections, 0)).toBeLessThanOrEqual(64);
  await Promise.all(tasks.map((task) => task.kill(15, { all: false })));
  expect(many.every((shim) => shim.names().join() === 'state,kill,kill')).toBe(true);
});

test('an awaited task keeps its socket, and calls share it', async () => {
  const shim = await shimOf({ wait: frozen });
  const task = await attached(shim);
  const wait = failure(task.wait());
  await Promise.all([1, 2, 3].map(() => task.pause()));
  expect(shim.connections).toBe(1);
  await fixture.launcher.close();
  // Not undefined: nothing is known about a container that the daemon stops to look at.
  expect(isKind(await wait, 'canceled')).toBe(true);
  expect(isKind(await failure(task.pause()), 'canceled')).toBe(true);
});

test('the removal of one task leaves the calls of others that the same shim keeps', async () => {
  const ended = Promise.withResolvers<object>();
  const shim = await shimOf({ wait: () => ended.promise });
  const [removed, stays, buried] = await Promise.all(['c1', 'c2', 'c3'].map(async (id) => required(await fixture.launcher.attach(fixture.handleOf(shim, id)))));
  const wait = stays?.wait();
  await expect.poll(() => shim.names()).toContain('wait');
  await removed?.remove();
  await fixture.launcher.bury(required(buried).handle);
  ended.resolve({ exitStatus: 4 });
  expect(await wait).toMatchObject({ exitCode: 4 });
  expect(shim.names().filter((name) => name === 'wait')).toHaveLength(1);
  await stays?.remove();
  await expect.poll(() => shim.connections).toBe(0);
});

function required<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('nothing to attach to');
  return value;
}
