import { expect, test, vi } from 'vitest';
import { containersFixture, signal } from '../testing/containers-fixture.ts';

const fixture = containersFixture();
const { create, running } = fixture;

test('a removal that comes while a start is in line takes the container away all the same', async () => {
  const { id } = await create();
  const starting = fixture.engine.containers.start(id, signal());
  await fixture.engine.containers.remove(id, signal());
  await starting.catch(() => undefined);
  expect(fixture.engine.containers.list()).toEqual([]);
  await fixture.engine.pods.remove(fixture.pod.id, signal());
  expect(fixture.world.leftovers()).toEqual([]);
});

test('remove ends a running container; two removals at once are one; unknown is content', async () => {
  const id = await running();
  const before = vi.spyOn(fixture.world.agent, 'removeTree');
  await Promise.all([fixture.engine.containers.remove(id, signal()), fixture.engine.containers.remove(id, signal())]);
  await fixture.engine.containers.remove(id, signal());
  expect(before).toHaveBeenCalledTimes(1);
  expect(fixture.engine.containers.list()).toEqual([]);
  await fixture.engine.pods.remove(fixture.pod.id, signal());
  expect(fixture.world.leftovers()).toEqual([]);
});

test('a removal that fails half-way goes on with the next call', async () => {
  const { id } = await create();
  vi.spyOn(fixture.world.snapshotter, 'remove').mockRejectedValueOnce(new Error('disk'));
  await expect(fixture.engine.containers.remove(id, signal())).rejects.toThrow('disk');
  expect(fixture.engine.containers.list({ state: 'exited' })).toHaveLength(1);
  await fixture.engine.containers.remove(id, signal());
  expect(fixture.engine.containers.list()).toEqual([]);
});
