import type { SnapshotKey } from '../../lib/ids.ts';
import type { SnapshotInfo } from '../../snapshotter/port.ts';

/** The snapshots that may go and on which nothing stands that stays, children before their parents. */
export function leavesFirst(all: readonly SnapshotInfo[], mayGo: (snapshot: SnapshotInfo) => boolean): readonly SnapshotKey[] {
  const byKey = new Map(all.map((snapshot) => [snapshot.key, snapshot]));
  const children = new Map<SnapshotKey, number>();
  for (const { parent } of all) if (parent !== undefined) children.set(parent, (children.get(parent) ?? 0) + 1);
  const order: SnapshotKey[] = [];
  const free = all.filter((snapshot) => !children.has(snapshot.key) && mayGo(snapshot));
  for (let leaf = free.pop(); leaf !== undefined; leaf = free.pop()) {
    order.push(leaf.key);
    const parent = leaf.parent === undefined ? undefined : byKey.get(leaf.parent);
    if (parent === undefined) continue;
    const left = (children.get(parent.key) ?? 0) - 1;
    children.set(parent.key, left);
    if (left === 0 && mayGo(parent)) free.push(parent);
  }
  return order;
}
