import { expect, test } from 'vitest';
import { expectKind } from './rejection.ts';
import { key, type Harness, type SnapshotterTraits } from './harness.ts';

/** Usage, removal, restarts and cleaning up. */
export function provesLifetime(harness: () => Harness, { sharesLayers, keepsAllWhileMounted = false }: SnapshotterTraits): void {
  test('usage of what is being written to is measured', async () => {
    const { snapshotter } = harness();
    await harness().layer('a', undefined, 'head -c 500000 /dev/zero > big');
    await snapshotter.prepare(key('c'), key('a'));
    await harness().inside('c', 'mkdir d; head -c 300000 /dev/zero > d/new');
    const { bytes, inodes } = await snapshotter.usage(key('c'));
    const parent = sharesLayers ? 0 : 500_000;
    expect(bytes).toBeGreaterThanOrEqual(300_000 + parent);
    expect(bytes).toBeLessThan(400_000 + parent);
    expect(inodes).toBe(sharesLayers ? 3 : 4);
    expect(await snapshotter.usage(key('a'))).toEqual({ bytes: 0, inodes: 0 });
  });

  test('a parent is not removed before its children; unknown keys are success; files go', async () => {
    const { snapshotter } = harness();
    await harness().layer('a', undefined, 'mkdir -p deep/er; echo > deep/er/f; chmod 000 deep');
    await snapshotter.prepare(key('c'), key('a'));
    await expectKind(snapshotter.remove(key('a')), 'precondition');
    await snapshotter.remove(key('c'));
    await snapshotter.remove(key('c'));
    await snapshotter.remove(key('a'));
    expect(snapshotter.list()).toEqual([]);
    await snapshotter.settled();
    expect(await harness().sh('find "$1" -type f ! -name "meta.db*"', harness().stateRoot)).toBe('');
    expect(harness().warnings).toEqual([]);
  });

  test('a removed name can be used again at once', async () => {
    const { snapshotter } = harness();
    await snapshotter.prepare(key('c'), undefined);
    await harness().inside('c', 'echo old > f');
    await snapshotter.remove(key('c'));
    await snapshotter.prepare(key('c'), undefined);
    expect(await harness().inside('c', 'ls -A')).toBe('');
  });

  test('everything is there after a restart', async () => {
    await harness().layer('a', undefined, 'echo a > f');
    await harness().layer('b', 'a', 'echo b > g');
    await harness().snapshotter.prepare(key('c'), key('b'));
    const before = harness().snapshotter.list().toSorted((x, y) => x.key.localeCompare(y.key));
    await harness().restart();
    expect(harness().snapshotter.list().toSorted((x, y) => x.key.localeCompare(y.key))).toEqual(before);
    expect(await harness().inside('c', 'cat f g; echo c > h; ls')).toBe('a\nb\nf\ng\nh');
    await expectKind(harness().snapshotter.remove(key('a')), 'precondition');
    expect(await harness().snapshotter.cleanup()).toBe(0);
  });

  test('cleanup deletes what records do not name, but nothing that is mounted', async () => {
    await harness().layer('a', undefined, 'echo a > f');
    await harness().layer('b', 'a', 'echo b > g');
    await harness().layer('other', undefined, 'echo o > f');
    await harness().snapshotter.prepare(key('c'), key('b'));
    const target = await harness().mount(harness().snapshotter.mounts(key('c')));
    await harness().restart({ forgetful: true });
    expect(harness().snapshotter.list()).toEqual([]);
    const kept = keepsAllWhileMounted ? 4 : sharesLayers ? 3 : 1;
    expect(await harness().snapshotter.cleanup()).toBe(4 - kept);
    expect(await harness().sh('cd "$1"; cat f g; echo c > h; cat h', target)).toBe('a\nb\nc');
    await harness().layer('new', undefined, 'echo n > f');
    await harness().unmount(target);
    expect(await harness().snapshotter.cleanup()).toBe(kept);
    expect(await harness().inside('new', 'cat f')).toBe('n');
  });

  test('many at once', async () => {
    await harness().layer('a', undefined, 'echo a > f');
    const names = Array.from({ length: 50 }, (_, index) => `c${index}`);
    await Promise.all(names.map(async (each) => harness().snapshotter.prepare(key(each), key('a'))));
    await Promise.all(names.map(async (each) => harness().inside(each, `echo ${each} > own`)));
    const seen = await Promise.all(names.map(async (each) => harness().inside(each, 'cat own')));
    expect(seen).toEqual(names);
    await Promise.all(names.map(async (each) => harness().snapshotter.remove(key(each))));
    expect(harness().snapshotter.list()).toHaveLength(1);
  });
}
