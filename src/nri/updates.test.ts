import { expect, test } from 'vitest';
import { Owners } from './owners.ts';
import { noCpu } from './resources.ts';
import { resources } from './testing/subjects.ts';
import { Updates } from './updates.ts';

const update = (containerId: string, shares: bigint, ignoreFailure = false) => ({ containerId, linux: { resources: resources({ cpu: { ...noCpu, shares: { value: shares } } }) }, ignoreFailure });
const cpus = (containerId: string, list: string) => ({ containerId, linux: { resources: resources({ cpu: { ...noCpu, cpus: list } }) }, ignoreFailure: true });

test('updates of one container by several plugins become one', () => {
  const updates = new Updates(new Owners());
  updates.add('a', [update('x', 5n)]);
  updates.add('b', [cpus('x', '0-1'), update('y', 6n)]);
  expect(updates.messages()).toMatchObject([
    { containerId: 'x', linux: { resources: { cpu: { shares: { value: 5n }, cpus: '0-1' } } }, ignoreFailure: false },
    { containerId: 'y', linux: { resources: { cpu: { shares: { value: 6n } } } } },
  ]);
});

test('a conflict is an error, unless the update is one that may fail', () => {
  const updates = new Updates(new Owners());
  updates.add('a', [update('x', 5n)]);
  expect(() => { updates.add('b', [update('x', 6n)]); }).toThrow('NRI plugins a and b both tried to set the CPU shares of container x');
  updates.add('b', [update('x', 7n, true)]);
  expect(updates.take('x')).toMatchObject({ cpu: { shares: { value: 5n } } });
  expect(updates.messages()).toEqual([]);
});

test('a failed claim leaves nothing claimed', () => {
  const owners = new Owners();
  owners.claimResources('x', 'a', resources({ unified: { k: '1' } }));
  expect(() => { owners.claimResources('x', 'b', resources({ cpu: { ...noCpu, cpus: '0' }, unified: { k: '2' } })); }).toThrow('unified cgroup value k');
  expect(() => { owners.claimResources('x', 'c', resources({ cpu: { ...noCpu, cpus: '0' } })); }).not.toThrow();
});

test('a container that is called like a property of every object is one like any other', () => {
  const owners = new Owners();
  for (const id of ['__proto__', 'constructor']) owners.claimResources(id, 'a', resources({ unified: Object.fromEntries([[id, '1']]) }));
  expect(Object.entries(owners.message().owners).map(([id, { compound }]) => [id, Object.values(compound).map((each) => Object.entries(each.owners))])).toEqual([
    ['__proto__', [[['__proto__', 'a']]]],
    ['constructor', [[['constructor', 'a']]]],
  ]);
});

test('nobody may update the container that is being created', () => {
  const updates = new Updates(new Owners());
  expect(() => { updates.add('a', [update('x', 5n)], 'x'); }).toThrow('NRI plugin a asks for an update of container x while that is being created');
});
