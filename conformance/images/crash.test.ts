import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { startBerth } from '../fixtures/daemon.ts';
import { FlakyProxy } from '../fixtures/flaky.ts';
import { buildImage, imageId, type Image } from '../fixtures/images.ts';
import { layer, noise } from '../fixtures/layer.ts';
import type { NodeDaemon } from '../fixtures/node-daemon.ts';
import { Registry } from '../fixtures/registry.ts';
import { file } from '../fixtures/tar.ts';

const megabyte = 1024 * 1024;

let directory: string;
let registry: Registry;
let proxy: FlakyProxy;
let node: NodeDaemon;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'berth-crash-'));
  registry = await Registry.start({ directory });
});
afterAll(async () => {
  await registry.stop();
  rmSync(directory, { recursive: true, force: true });
});
beforeEach(async () => {
  proxy = await FlakyProxy.start(registry.url);
  node = await startBerth({ insecureRegistries: [proxy.host], config: { images: { discard_unpacked_layers: true } } });
});
afterEach(async () => {
  await node.close();
  await proxy.stop();
});

const large = (label: string): Image => buildImage({ label, layers: [layer([file('small', label)]), layer([file('large', noise(4 * megabyte, label))], { compression: 'none' })] });
const blobOf = (image: Image, index: number): RegExp => new RegExp(`/blobs/${image.layers[index]?.descriptor.digest ?? ''}`);
const push = async (image: Image): Promise<string> => (await registry.push('app', 'crash', image)).replace(registry.host, proxy.host);
const content = (area: 'blobs/sha256' | 'ingest'): readonly string[] => readdirSync(join(node.scratch.dir, 'state/content', area));

test('a daemon killed in a pull shows no half image and goes on where it stopped', async () => {
  const image = large('killed');
  const reference = await push(image);
  proxy.breakOn({ path: blobOf(image, 1), times: 1, cutAfter: megabyte });
  proxy.breakOn({ path: blobOf(image, 1), delayMs: 60_000 });
  const broken = expect(node.cri.pullImage(reference)).rejects.toThrow();
  await expect.poll(() => proxy.count('GET', blobOf(image, 1)), { timeout: 10_000 }).toBe(2);
  await node.kill();
  await broken;
  proxy.heal();
  await node.startAgain();
  expect(await node.cri.listImages()).toEqual([]);
  expect(await node.cri.pullImage(reference)).toBe(imageId(image));
  expect(proxy.count('GET', blobOf(image, 0)), 'the layer that was unpacked is not fetched again').toBe(1);
  expect(proxy.seen.at(-1)?.range).toMatch(/^bytes=\d{5,}-$/);
  await expect.poll(() => content('ingest')).toEqual([]);
});

test('an image is there after a kill right behind the pull, and is whole', async () => {
  const image = large('survives');
  const reference = await push(image);
  const id = await node.cri.pullImage(reference);
  await node.kill();
  await node.startAgain();
  expect(await node.cri.imageStatus(reference)).toMatchObject({ id, repo_tags: [reference] });
  proxy.breakOn({ path: /blobs/, status: 500 });
  expect(await node.cri.pullImage(reference)).toBe(id);
});

test('a removed image leaves no content', async () => {
  const reference = await push(large('removed'));
  await node.cri.pullImage(reference);
  expect(content('blobs/sha256')).not.toEqual([]);
  await node.cri.removeImage(reference);
  expect([...content('blobs/sha256'), ...content('ingest')]).toEqual([]);
});
