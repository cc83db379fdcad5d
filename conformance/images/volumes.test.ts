/** VOLUMEs of images that mean harm, or many of them. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CriSuite, waiting, type SuitePod } from '../cri/suite.ts';
import { buildImage, type Image } from '../fixtures/images.ts';
import { layer, noise } from '../fixtures/layer.ts';
import { dir, file, symlink, type TarEntry } from '../fixtures/tar.ts';

const mebibyte = 1024 * 1024;

let suite: CriSuite;
let pod: SuitePod;
beforeAll(async () => {
  suite = await CriSuite.start();
  pod = await suite.pod();
});
afterAll(async () => suite.close());

function withVolumes(label: string, paths: readonly string[], files: readonly TarEntry[]): Image {
  const { layers } = suite.images.busybox(label);
  return buildImage({ label, layers: [...layers, layer(files)], run: { Env: ['PATH=/bin'], Volumes: Object.fromEntries(paths.map((path) => [path, {}])) } });
}

const bytesOf = (path: string): number => Number(execFileSync('du', ['-s', '--block-size=1', path], { encoding: 'utf8' }).split('\t')[0]);

/** What the kubelet would evict the pod for. */
async function written(id: string): Promise<number> {
  const { stats } = await suite.cri.call<{ stats: { writable_layer: { used_bytes: { value: string } } } }>('ContainerStats', { container_id: id });
  return Number(stats.writable_layer.used_bytes.value);
}

test('a directory is copied once, however many links and VOLUMEs lead into it, and what is written there is counted', async () => {
  const links = Array.from({ length: 30 }, (_, index) => `l${index}`);
  const image = await suite.pull('links', withVolumes('links', ['/data', '/data/sub', ...links.map((name) => `/${name}`)], [dir('data'), dir('data/sub'), file('data/sub/big', noise(8 * mebibyte, 'big')), ...links.map((name) => symlink(name, 'data'))]));
  const id = await suite.run(pod, waiting, { image: { image } });
  const copies = bytesOf(join(suite.node.scratch.dir, 'state/containers', id));
  expect(copies).toBeGreaterThan(8 * mebibyte);
  expect(copies).toBeLessThan(9 * mebibyte);
  expect((await suite.cri.execSync(id, ['sh', '-c', 'grep -c " /data" /proc/mounts; cat /l7/sub/big | wc -c'])).stdout.toString()).toBe(`1\n${8 * mebibyte}\n`);
  const before = await written(id);
  await suite.cri.execSync(id, ['dd', 'if=/dev/zero', 'of=/l3/more', 'bs=1M', 'count=20']);
  await expect.poll(async () => (await written(id)) - before, { timeout: 15_000 }).toBeGreaterThanOrEqual(20 * mebibyte);
  await suite.cri.removeContainer(id);
});

test('an image with as many VOLUMEs as it may have starts', async () => {
  const image = await suite.pull('many', withVolumes('many', Array.from({ length: 1000 }, (_, index) => `/v/${index}`), []));
  const { exit_code: code } = await suite.finish(pod, ['sh', '-c', '[ $(grep -c " /v/" /proc/mounts) = 1000 ]'], { image: { image } });
  expect(code).toBe(0);
});
