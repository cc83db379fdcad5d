import { expect, test } from 'vitest';
import { openOverlay } from '../../src/snapshotter/open-snapshotters.ts';
import { layer } from '../fixtures/layer.ts';
import { key, type OpenSnapshotter } from './harness.ts';
import { describeSnapshotter, snapshotterSuite } from './suite.ts';

const lasting: OpenSnapshotter = ({ stateRoot, ...components }) => openOverlay(components, { stateRoot, volatile: false });
const volatile: OpenSnapshotter = ({ stateRoot, ...components }) => openOverlay(components, { stateRoot, volatile: true });

snapshotterSuite('overlay', lasting, { sharesLayers: true });
snapshotterSuite('overlay on an older kernel', lasting, { sharesLayers: true }, { olderKernel: true });

const odd = String.raw`a:b,c\ d`;
const long = `${'d'.repeat(150)}/`.repeat(3);
for (const [what, directory] of [['of any characters', odd], ['that is long', long]] as const) {
  snapshotterSuite(`overlay below a path ${what}`, lasting, { sharesLayers: true, keepsAllWhileMounted: true }, { directory });
  snapshotterSuite(`overlay below a path ${what}, on an older kernel`, lasting, { sharesLayers: true }, { directory, olderKernel: true });
}

describeSnapshotter('overlay, volatile', volatile, (harness) => {
  test('the kernel takes the options, and says so', async () => {
    await harness().unpack('a', undefined, layer([{ name: 'f', content: 'a' }]));
    await harness().snapshotter.prepare(key('c'), key('a'));
    const target = await harness().mount(harness().snapshotter.mounts(key('c')));
    expect(await harness().sh('findmnt -n -o FSTYPE,OPTIONS "$1"; echo c > $1/f; cat $1/f', target)).toMatch(/^overlay .*\bvolatile\b.*\nc$/);
  });

  test('layers are given one by one', async () => {
    await harness().layer('a', undefined, 'echo a > f');
    await harness().layer('b', 'a', 'echo b > g');
    const target = await harness().mount(harness().snapshotter.mounts(key('b')));
    expect(await harness().sh('grep " $1 " /proc/self/mountinfo', target)).toContain(',lowerdir+=/');
  });

  test('mount(8), which passes options as text of at most a page, takes seventy layers as well', async () => {
    await harness().layer('l0', undefined, 'echo 0 > f0');
    for (let index = 1; index < 70; index += 1) {
      await harness().snapshotter.prepare(key('making'), key(`l${index - 1}`));
      await harness().snapshotter.commit(key('making'), key(`l${index}`), { bytes: 0, inodes: 0 });
    }
    const [mount] = await harness().snapshotter.prepare(key('c'), key('l69'));
    const options = mount?.options.join(',') ?? '';
    expect(options.length).toBeLessThan(4096);
    expect(await harness().sh('mkdir $1/t; mount -t overlay overlay -o "$2" $1/t; cat $1/t/f0; umount $1/t', harness().stateRoot, options)).toBe('0');
  });
});

describeSnapshotter('overlay on an older kernel', volatile, (harness) => {
  test('layers are given to mount(2), as many as the kernel stacks, and cleanup spares what is mounted', async () => {
    const keys = Array.from({ length: 500 }, (_, index) => `l${index}`);
    for (const [index, name] of keys.entries()) {
      await harness().snapshotter.prepare(key('making'), index === 0 ? undefined : key(`l${index - 1}`));
      await harness().snapshotter.commit(key('making'), key(name), { bytes: 0, inodes: 0 });
    }
    await harness().snapshotter.prepare(key('c'), key('l499'));
    const mounts = harness().snapshotter.mounts(key('c'));
    expect(await harness().agent.readSnapshotFiles(mounts, ['/absent'])).toEqual([undefined]);
    const target = await harness().mount(mounts);
    expect(await harness().sh('echo c > $1/f; grep " $1 " /proc/self/mountinfo', target)).toMatch(/,lowerdir=(?:\d+:){499}\d+,/);
    await harness().restart({ forgetful: true });
    expect(await harness().snapshotter.cleanup()).toBe(0);
    await harness().unmount(target);
    expect(await harness().snapshotter.cleanup()).toBe(501);
  });
}, { olderKernel: true });
