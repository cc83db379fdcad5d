import { expect, test } from 'vitest';
import { layer } from '../fixtures/layer.ts';
import { key, type Harness } from './harness.ts';

/** What a process sees that lives in a snapshot. */
export function provesViews(harness: () => Harness): void {
  test('layers add up: added, changed, deleted and replaced files', async () => {
    await harness().layer('a', undefined, 'mkdir d keep; echo a > d/x; echo a > gone; echo a > changed; echo a > keep/f; ln keep/f keep/hard');
    await harness().layer('b', 'a', 'echo b > added; echo b > changed; rm gone; rm -r d; mkdir d; echo b > d/y');
    expect(await harness().inside('b', 'find . -type f | sort | while read f; do echo "$f=$(cat $f)"; done')).toBe('./added=b\n./changed=b\n./d/y=b\n./keep/f=a\n./keep/hard=a');
    expect(await harness().inside('a', 'find . -type f | sort | tr "\\n" " "; cat changed')).toBe('./changed ./d/x ./gone ./keep/f ./keep/hard a');
  });

  test('a layer of a registry deletes with whiteouts, and its root keeps its mode', async () => {
    await harness().unpack('a', undefined, layer([{ name: './', type: 'dir', mode: 0o751, uid: 5, gid: 6 }, { name: 'etc', type: 'dir' }, { name: 'etc/one', content: '1' }, { name: 'opt', type: 'dir' }, { name: 'opt/x' }]));
    await harness().unpack('b', 'a', layer([{ name: 'etc/.wh.one' }, { name: 'opt/.wh..wh..opq' }, { name: 'opt/y', content: 'y' }]));
    await harness().snapshotter.prepare(key('c'), key('b'));
    for (const view of ['b', 'c']) expect(await harness().inside(view, 'find . -mindepth 1 | sort | tr "\\n" " "; stat -c "%a %u %g" .')).toBe('./etc ./opt ./opt/y 751 5 6');
  });

  test('the root of a writable snapshot belongs to the ids that it is made for, its content stays as it is', async () => {
    await harness().unpack('a', undefined, layer([{ name: './', type: 'dir', mode: 0o751, uid: 5, gid: 6 }, { name: 'f', content: 'x', uid: 7 }]));
    await harness().snapshotter.prepare(key('c'), key('a'), undefined, { idShift: 100_000 });
    expect(await harness().inside('c', 'stat -c "%a %u %g" .; stat -c %u f')).toBe('751 100005 100006\n7');
  });

  test('writers on one parent do not see each other, and the parent stays', async () => {
    await harness().layer('a', undefined, 'echo a > f');
    await Promise.all(['c1', 'c2'].map(async (each) => harness().snapshotter.prepare(key(each), key('a'))));
    const [one, two] = [await harness().mount(harness().snapshotter.mounts(key('c1'))), await harness().mount(harness().snapshotter.mounts(key('c2')))];
    expect(await harness().sh('echo 1 > "$1/f"; echo 2 > "$2/f"; touch "$1/new"; cat "$1/f" "$2/f"; ls "$2"', one, two)).toBe('1\n2\nf');
    expect(await harness().inside('a', 'cat f; ls')).toBe('a\nf');
  });

  test.each([['one layer', 'a'], ['two layers', 'b']])('a committed snapshot cannot be written to: %s', async (_, top) => {
    await harness().layer('a', undefined, 'echo a > f');
    await harness().layer('b', 'a', 'echo b > g');
    expect(await harness().inside(top, '(echo x > f) 2>&1 || true; cat f')).toMatch(/Read-only file system\na$/);
  });

  test('an image without layers is an empty directory that can be written to', async () => {
    await harness().snapshotter.prepare(key('c'), undefined);
    expect(await harness().inside('c', 'ls -A; echo x > f; cat f; stat -c "%a %u" .')).toBe('x\n755 0');
    expect(await harness().inside('c', 'cat f')).toBe('x');
  });

  test('hundreds of names, seventy layers deep', async () => {
    await harness().layer('l0', undefined, 'echo 0 > f0; echo 0 > top');
    for (let index = 1; index < 70; index += 1) await harness().layer(`l${index}`, `l${index - 1}`, `echo ${index} > f${index}; echo ${index} > top; ${index % 10 === 0 ? `rm f${index - 1}` : ''}`);
    await harness().snapshotter.prepare(key('c'), key('l69'));
    expect(await harness().inside('c', 'ls | wc -l; cat top; cat f0 f68; test ! -e f19; echo c > top; cat top')).toBe('65\n69\n0\n68\nc');
  });
}
