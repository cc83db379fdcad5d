import { expect, test } from 'vitest';
import type { SnapshotKey } from '../../lib/ids.ts';
import type { SnapshotInfo } from '../../snapshotter/port.ts';
import { leavesFirst } from './leaves-first.ts';

const snapshot = (key: string, parent?: string): SnapshotInfo => ({ key: key as SnapshotKey, parent: parent as SnapshotKey | undefined, kind: 'committed', createdAtNs: 0n, usage: undefined, durable: false });
const order = (snapshots: readonly SnapshotInfo[], stays: readonly string[] = []): readonly string[] => leavesFirst(snapshots, ({ key }) => !stays.includes(key));

test('children go before their parents', () => {
  const tree = [snapshot('a'), snapshot('b', 'a'), snapshot('c', 'b'), snapshot('d', 'a')];
  const keys = order(tree);
  expect(keys).toHaveLength(4);
  for (const { key, parent } of tree) if (parent !== undefined) expect(keys.indexOf(key)).toBeLessThan(keys.indexOf(parent));
});

test('what stays keeps what is below it', () => {
  expect(order([snapshot('a'), snapshot('b', 'a'), snapshot('c', 'b'), snapshot('d', 'a')], ['b'])).toEqual(['d', 'c']);
});

test('a parent that is unknown hinders nothing', () => {
  expect(order([snapshot('a', 'gone')])).toEqual(['a']);
});
