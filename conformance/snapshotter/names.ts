import { expect, test } from 'vitest';
import { expectKind, rejection } from './rejection.ts';
import { key, type Harness } from './harness.ts';

const usage = { bytes: 4096, inodes: 1 };

/** Keys, kinds and what calls refuse. */
export function provesNames(harness: () => Harness): void {
  test('names are taken once, and unknown ones are not found', async () => {
    const { snapshotter } = harness();
    await harness().layer('a', undefined, 'true');
    await snapshotter.prepare(key('c'), key('a'));
    await expectKind(snapshotter.prepare(key('c'), key('a')), 'already-exists');
    await expectKind(snapshotter.prepare(key('a'), undefined), 'already-exists');
    await expectKind(snapshotter.commit(key('c'), key('a'), usage), 'already-exists');
    await expectKind(snapshotter.prepare(key('d'), key('unknown')), 'not-found');
    await expectKind(snapshotter.commit(key('unknown'), key('d'), usage), 'not-found');
    await expectKind(snapshotter.usage(key('unknown')), 'not-found');
    for (const call of ['mounts', 'layerDirs'] as const) await expectKind((async () => snapshotter[call](key('unknown')))(), 'not-found');
    expect(snapshotter.stat(key('unknown'))).toBeUndefined();
    expect(snapshotter.list().map((info) => info.key).toSorted()).toEqual(['a', 'c']);
  });

  test('only committed snapshots are parents, and only active ones are committed', async () => {
    const { snapshotter } = harness();
    await snapshotter.prepare(key('c'), undefined);
    await expectKind(snapshotter.prepare(key('d'), key('c')), 'precondition');
    await snapshotter.commit(key('c'), key('a'), usage);
    await expectKind(snapshotter.commit(key('a'), key('b'), usage), 'precondition');
    await expectKind((async () => snapshotter.layerDirs(key('a')))(), 'precondition');
    expect(snapshotter.stat(key('c'))).toBeUndefined();
  });

  test('two commits of one snapshot: one wins', async () => {
    const { snapshotter } = harness();
    await snapshotter.prepare(key('c'), undefined);
    const results = await Promise.all(['a', 'b'].map(async (each) => rejection(snapshotter.commit(key('c'), key(each), usage))));
    expect(results.filter((result) => result === 'no error')).toHaveLength(1);
    expect(snapshotter.list()).toHaveLength(1);
  });

  test('stat and list tell kind, parent, age and usage', async () => {
    const { snapshotter } = harness();
    const before = BigInt(Date.now()) * 1_000_000n - 1_000_000_000n;
    await snapshotter.prepare(key('making'), undefined);
    await snapshotter.commit(key('making'), key('a'), usage);
    await snapshotter.prepare(key('c'), key('a'));
    const [a, c] = [snapshotter.stat(key('a')), snapshotter.stat(key('c'))];
    expect(a).toMatchObject({ key: 'a', kind: 'committed', parent: undefined, usage });
    expect(c).toMatchObject({ key: 'c', kind: 'active', parent: 'a', usage: undefined });
    expect(a?.createdAtNs).toBeGreaterThan(before);
    expect(snapshotter.list()).toHaveLength(2);
  });

  test('a caller who left before prepare leaves nothing', async () => {
    await expect(harness().snapshotter.prepare(key('c'), undefined, AbortSignal.abort(new Error('left')))).rejects.toThrow('left');
    expect(harness().snapshotter.stat(key('c'))).toBeUndefined();
  });
}
