import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { grpcStatus } from '../fixtures/cri.ts';
import type { ContainerItem } from '../fixtures/cri-types.ts';
import { writeDockerArchive } from '../fixtures/archive.ts';
import { buildImage, imageId } from '../fixtures/images.ts';
import { bigLayer } from '../fixtures/layer.ts';
import { startBerth } from '../fixtures/daemon.ts';
import { Registry } from '../fixtures/registry.ts';
import { CriSuite, waiting } from './suite.ts';

const berth = join(import.meta.dirname, '../../bin/berth');

let suite: CriSuite;
beforeAll(async () => {
  suite = await CriSuite.start();
  await empty();
});
afterEach(async () => empty());
afterAll(async () => suite.close());

async function empty(): Promise<void> {
  await suite.node.removePods();
  for (const { id } of await suite.cri.listImages()) await suite.cri.removeImage(id);
}

const output = async (id: string, ...command: readonly string[]): Promise<string> => (await suite.cri.execSync(id, command)).stdout.toString();

test('one id in every answer, also when the image comes from two registries', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'berth-second-'));
  try {
    await using second = await Registry.start({ directory });
    await using node = await startBerth({ insecureRegistries: [suite.registry.host, second.host] });
    const image = suite.images.busybox('same');
    const references = [await suite.registry.push('same', '1', image), await second.push('same', '1', image)];
    const ids = [];
    for (const reference of references) ids.push(await node.cri.pullImage(reference));
    expect(ids).toEqual([imageId(image), imageId(image)]);
    expect((await node.cri.listImages()).map(({ id, repo_tags: tags }) => [id, tags.toSorted()])).toEqual([[imageId(image), references.toSorted()]]);
    for (const reference of references) expect(await node.cri.imageStatus(reference)).toMatchObject({ id: imageId(image) });
    await node.cri.removeImage(references[1] ?? '');
    expect(await node.cri.imageStatus(references[0] ?? '')).toBeNull();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test('containers tell the id of their image and a digest of it, also when they were made by the id', async () => {
  const image = suite.images.busybox('told');
  const reference = await suite.pull('told', image);
  const pod = await suite.pod();
  for (const name of [reference, imageId(image)]) {
    const id = await suite.run(pod, waiting, { image: { image: name } });
    const digest = `${reference.slice(0, -2)}@${image.manifest.descriptor.digest}`;
    expect(await suite.cri.containerStatus(id)).toMatchObject({ image: { image: name }, image_id: imageId(image), image_ref: digest });
    const { containers } = await suite.cri.call<{ containers: readonly ContainerItem[] }>('ListContainers', { filter: { id } });
    expect(containers).toMatchObject([{ image: { image: name }, image_id: imageId(image), image_ref: digest }]);
  }
});

test('a container of an image that came from no registry refers to it by a digest all the same, which names it', async () => {
  const { layers } = suite.images.busybox('loaded');
  const image = buildImage({ label: 'loaded', layers, run: { Cmd: ['sh'], Env: ['PATH=/bin'] } });
  const archive = join(suite.node.scratch.dir, 'loaded.tar');
  writeDockerArchive(archive, { 'registry.example/loaded:1': image });
  execFileSync(berth, ['--endpoint', suite.node.socket, 'import', archive]);
  const shown = await suite.cri.imageStatus('registry.example/loaded:1');
  const id = await suite.run(await suite.pod(), waiting, { image: { image: 'registry.example/loaded:1' } });
  expect(await suite.cri.containerStatus(id)).toMatchObject({ image: { image: 'registry.example/loaded:1' }, image_ref: shown?.repo_digests[0], image_id: imageId(image) });
  expect(await suite.cri.imageStatus(shown?.repo_digests[0] ?? '')).toEqual(shown);
});

test('an image may go while its container runs; the layers go after the container', async () => {
  const image = suite.images.busybox('used');
  const reference = await suite.pull('used', image);
  const pod = await suite.pod();
  const id = await suite.run(pod, waiting, { image: { image: reference } });
  await suite.cri.removeImage(reference);
  expect(await suite.cri.imageStatus(imageId(image))).toBeNull();
  expect(await suite.cri.listImages()).toEqual([]);
  expect(await output(id, 'cat', '/etc/image-used')).toBe('used\n');
  expect(await suite.cri.containerStatus(id)).toMatchObject({ state: 'CONTAINER_RUNNING', image_id: imageId(image) });
  await expect(suite.create(pod, waiting, { image: { image: reference } })).rejects.toMatchObject({ code: grpcStatus.NOT_FOUND });
  await suite.node.kill();
  await suite.node.startAgain();
  expect(await output(id, 'cat', '/etc/image-used')).toBe('used\n');
  await suite.cri.stopContainer(id, 0);
  await suite.cri.removeContainer(id);
  await eventually(async () => {
    expect(snapshots()).toEqual([]);
  });
});

test('an image may go while a volume shows it, and a pull brings it back', async () => {
  const image = suite.images.busybox('volume');
  const [reference, runs] = [await suite.pull('volume', image), await suite.pull('busybox', suite.images.busybox())];
  const pod = await suite.pod();
  const mounts = [{ container_path: '/vol', readonly: true, image: { image: reference } }];
  const id = await suite.run(pod, waiting, { image: { image: runs }, mounts });
  await suite.cri.removeImage(reference);
  expect(await suite.cri.imageStatus(reference)).toBeNull();
  expect(await output(id, 'cat', '/vol/etc/image-volume')).toBe('volume\n');
  await expect(suite.create(pod, waiting, { image: { image: runs }, mounts })).rejects.toMatchObject({ code: grpcStatus.NOT_FOUND, details: expect.stringMatching(/^ImageVolumeMountFailed/) as unknown });
  await suite.cri.pullImage(reference);
  const again = await suite.run(pod, waiting, { image: { image: runs }, mounts });
  expect(await output(again, '/vol/bin/cat', '/vol/etc/image-volume')).toBe('volume\n');
});

interface Usage {
  readonly timestamp: string;
  readonly fs_id: { readonly mountpoint: string };
  readonly used_bytes: { readonly value: string };
  readonly inodes_used: { readonly value: string };
}

async function usage(): Promise<Usage> {
  const info = await suite.cri.call<{ image_filesystems: readonly Usage[]; container_filesystems: readonly Usage[] }>('ImageFsInfo');
  expect(info.image_filesystems).toHaveLength(1);
  expect(info.container_filesystems).toEqual(info.image_filesystems);
  return info.image_filesystems[0] as Usage;
}

const stateDir = (part: string): string => join(suite.node.scratch.dir, 'state', part);
const du = (...options: readonly string[]): number =>
  execFileSync('du', ['-sc', ...options, stateDir('content'), stateDir('snapshots')], { encoding: 'utf8' }).trim().split('\n').map((line) => Number(line.split('\t')[0])).at(-1) ?? 0;

function snapshots(): readonly string[] {
  return execFileSync('find', [stateDir('snapshots'), '-mindepth', '2', '-maxdepth', '2', '-type', 'd', '-name', '[0-9]*'], { encoding: 'utf8' }).trim().split('\n').filter(Boolean);
}

async function eventually(check: () => Promise<void>): Promise<void> {
  for (const deadline = Date.now() + 15_000; ; await sleep(100)) {
    try {
      await check();
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}

test('ImageFsInfo counts blobs and layers, in bytes and inodes, and sees at once that an image has gone', async () => {
  const image = buildImage({ label: 'big', layers: [bigLayer(200, 20_000)] });
  const before = await usage();
  expect(before.fs_id.mountpoint.startsWith(suite.node.scratch.dir)).toBe(true);
  expect(Number(before.timestamp)).toBeGreaterThan(0);
  const reference = await suite.registry.push('big', '1', image);
  await suite.cri.pullImage(reference);
  const full = await usage();
  // 4 MB unpacked, and half as much compressed.
  expect(Number(full.used_bytes.value) - Number(before.used_bytes.value)).toBeGreaterThan(6_000_000);
  expect(Number(full.inodes_used.value) - Number(before.inodes_used.value)).toBeGreaterThan(200);
  expect(Math.abs(Number(full.used_bytes.value) - du('--block-size=1'))).toBeLessThan(200_000);
  expect(Math.abs(Number(full.inodes_used.value) - du('--inodes'))).toBeLessThan(30);
  await suite.cri.removeImage(reference);
  expect(Number((await usage()).used_bytes.value)).toBeLessThan(Number(before.used_bytes.value) + 100_000);
});

test("ImageFsInfo counts what containers write", async () => {
  const reference = await suite.pull('writes', suite.images.busybox('writes'));
  const pod = await suite.pod();
  const before = await usage();
  const id = await suite.run(pod, waiting, { image: { image: reference } });
  await output(id, 'dd', 'if=/dev/zero', 'of=/file', 'bs=1M', 'count=8');
  await eventually(async () => {
    expect(Number((await usage()).used_bytes.value) - Number(before.used_bytes.value)).toBeGreaterThan(8_000_000);
  });
});
