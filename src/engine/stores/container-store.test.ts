import { expect, test } from 'vitest';
import { containersFixture } from '../testing/containers-fixture.ts';

const fixture = containersFixture();
const { create, running } = fixture;

test('lists filter by pod, state, labels and id prefix', async () => {
  const a = await running({ name: 'a' });
  const b = await create({ name: 'b', labels: { role: 'b' } });
  const ids = (filter: Parameters<typeof fixture.engine.containers.list>[0]) => fixture.engine.containers.list(filter).map(({ id }) => id);
  expect(ids({ podId: fixture.pod.id })).toEqual([a, b.id]);
  expect(ids({ podId: 'feed' })).toEqual([]);
  expect(ids({ state: 'running' })).toEqual([a]);
  expect(ids({ labels: { role: 'b' } })).toEqual([b.id]);
  expect(ids({ id: b.id.slice(0, 10), state: 'created' })).toEqual([b.id]);
});
