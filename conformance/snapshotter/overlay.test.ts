import { expect, test } from 'vitest';
import { openOverlay } from '../../src/snapshotter/open-snapshotters.ts';
import { layer } from '../fixtures/layer.ts';
import { key, type OpenSnapshotter } from './harness.ts';
import { describeSnapshotter, snapshotterSuite } from './suite.ts';

const lasting: OpenSnapshotter = ({ stateRoot, ...components }) => openOverlay(components, { stateRoot, volatile: false });
const volatile: OpenSnapshotter = ({ stateRoot, ...components }) => openOverlay(components, { stateRoot, volatile: true });

snapshotterSuite('overlay', lasting, { sharesLayers: true });

describeSnapshotter('overlay, volatile', volatile, (harness) => {
  test('the kernel takes the options, and says so', async () => {
    await harness().unpack('a', undefined, layer([{ name: 'f', content: 'a' }]));
    await harness().snapshotter.prepare(key('c'), key('a'));
    const target = await harness().mount(harness().snapshotter.mounts(key('c')));
    expect(await harness().sh('findmnt -n -o FSTYPE,OPTIONS "$1"; echo c > $1/f; cat $1/f', target)).toMatch(/^overlay .*\bvolatile\b.*\nc$/);
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
