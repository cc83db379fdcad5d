/** Images made to reach the node through the engine that prepares them. */
import { existsSync, readlinkSync, statSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { buildImage, type Image } from '../fixtures/images.ts';
import { baseFiles, staticBusybox } from '../fixtures/busybox.ts';
import { layer } from '../fixtures/layer.ts';
import { noHoldings } from '../fixtures/leaks.ts';
import type { TarEntry } from '../fixtures/tar.ts';
import { readLog, textOf } from '../cri/log-file.ts';
import { CriSuite } from '../cri/suite.ts';

let suite: CriSuite;
beforeAll(async () => {
  suite = await CriSuite.start();
});
afterEach(async () => {
  await suite.node.removePods();
  expect(await suite.node.leaks()).toEqual(noHoldings);
});
afterAll(async () => suite.close());

const hostile = (label: string, files: readonly TarEntry[], run: Parameters<typeof buildImage>[0]['run'] = {}): Image =>
  buildImage({ label, layers: [layer([...baseFiles(), ...staticBusybox()]), layer(files)], run: { Cmd: ['sh'], Env: ['PATH=/bin'], ...run } });

async function say(label: string, image: Image, script: string): Promise<string> {
  const reference = await suite.pull(label, image);
  const { log_path: log } = await suite.finish(await suite.pod(), ['sh', '-c', script], { image: { image: reference } });
  return textOf(readLog(log)) + textOf(readLog(log), 'stderr');
}

test('nothing is written through /etc/mtab, /etc/hosts and their like, wherever the image has them lead', async () => {
  const target = `${suite.node.scratch.dir}/reached`;
  const links = ['etc/mtab', 'etc/hosts', 'etc/hostname', 'etc/resolv.conf'].map((name) => ({ name, type: 'symlink', linkTo: target }) as const);
  const image = hostile('links', links.slice(0, 1));
  expect(await say('links', image, 'readlink /etc/mtab')).toBe(`${target}\n`);
  const reference = await suite.pull('more-links', hostile('more-links', links));
  // Runtimes make the file inside the root, or refuse.
  await suite.finish(await suite.pod(), ['true'], { image: { image: reference } }).catch(() => undefined);
  expect(existsSync(target)).toBe(false);
});

test('a device in a layer is none: the disk of the node is not read by it, nor by one that is made', async () => {
  const { dev } = statSync('/');
  const device = [Math.floor(dev / 256), dev % 256] as const;
  const image = hostile('devices', [
    { name: 'disk', type: 'block', device, mode: 0o666 },
    { name: 'memory', type: 'char', device: [1, 1], mode: 0o666 },
  ]);
  const said = await say('devices', image, `head -c1 /disk; head -c1 /memory; mknod /made b ${device.join(' ')} && head -c1 /made`);
  expect(said.match(/not permitted|Permission denied/g)?.length).toBeGreaterThanOrEqual(3);
});

test('labels and names that mean something to programs are data', async () => {
  const labels = { __proto__: 'x', constructor: 'y', 'io.containerd.runc.v2.group': 'z', 'containerd.io/restart.loguri': 'binary:///bin/sh', 'org.systemd.property.ExecStart': '/bin/sh' };
  const image = hostile('labels', [], { Labels: Object.fromEntries(Object.entries(labels)), Env: ['PATH=/bin', '__proto__=polluted', 'constructor=polluted'] });
  expect(await say('labels', image, 'env | grep -c polluted')).toBe('2\n');
  expect(readlinkSync('/proc/self/exe')).toMatch(/node$/);
});

test('an image without a layer is an empty root', async () => {
  const reference = await suite.pull('nothing', buildImage({ label: 'nothing', layers: [], run: { Cmd: ['/bin/sh'] } }));
  await expect(suite.run(await suite.pod(), ['/bin/sh'], { image: { image: reference } })).rejects.toMatchObject({ details: expect.stringMatching(/\/bin\/sh/) });
});
