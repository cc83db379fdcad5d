import { expect, test } from 'vitest';
import { openNative } from '../../src/snapshotter/open-snapshotters.ts';
import { layer } from '../fixtures/layer.ts';
import { key, type OpenSnapshotter } from './harness.ts';
import { describeSnapshotter, snapshotterSuite } from './suite.ts';

const native: OpenSnapshotter = ({ stateRoot, ...components }) => openNative(components, { stateRoot });

snapshotterSuite('native', native, { sharesLayers: false });

describeSnapshotter('native, beside overlayfs', native, (harness) => {
  test('nothing is stacked: a view is one directory', async () => {
    await harness().layer('a', undefined, 'echo a > f');
    await harness().layer('b', 'a', 'echo b > g');
    const mounts = await harness().snapshotter.prepare(key('c'), key('b'));
    expect(mounts).toMatchObject([{ type: 'bind' }]);
    expect(await harness().sh('ls "$1"', mounts[0]?.source ?? '')).toBe('f\ng');
  });

  test('a layer may put a file where a directory was, and the other way round; links, modes and times are kept', async () => {
    const mtime = 1_600_000_000;
    await harness().unpack('a', undefined, layer([{ name: 'was-dir', type: 'dir' }, { name: 'was-dir/x' }, { name: 'was-file', content: 'f' }, { name: 'set', content: 's', mode: 0o4755 }, { name: 'kept', type: 'dir', mode: 0o711 }, { name: 'kept/y', content: 'y' }]));
    const above = layer([{ name: 'was-dir', content: 'now' }, { name: 'was-file', type: 'dir', mode: 0o750 }, { name: 'was-file/in', content: 'in' }, { name: 'one', content: '1', mode: 0o2755, uid: 5, mtime }, { name: 'two', type: 'hardlink', linkTo: 'one', mode: 0o2755, uid: 5, mtime }, { name: 'kept', type: 'dir', mode: 0o700, mtime }]);
    await harness().unpack('b', 'a', above);
    await harness().snapshotter.prepare(key('c'), key('b'));
    const look = 'cat was-dir was-file/in; echo; stat -c "%a %u %Y %h" one; stat -c %i one two | uniq | wc -l; stat -c "%a %Y" kept; cat kept/y; stat -c %a set was-file; find . | wc -l';
    for (const view of ['b', 'c']) expect(await harness().inside(view, look)).toBe(`nowin\n2755 5 ${mtime} 2\n1\n700 ${mtime}\ny4755\n750\n9`);
  });

  test('an unpacked layer counts what its copy takes', async () => {
    await harness().unpack('a', undefined, layer([{ name: 'f', content: 'x'.repeat(100_000) }]));
    await harness().unpack('b', 'a', layer([{ name: 'g' }]));
    expect((await harness().snapshotter.usage(key('b'))).bytes).toBeGreaterThanOrEqual(100_000);
    expect((await harness().snapshotter.usage(key('b'))).inodes).toBe(3);
  });
});
