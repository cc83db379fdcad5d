import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { ImagesConfig } from '../../src/images/config.ts';
import type { ImageStore } from '../../src/images/image-service.ts';
import { BerthError } from '../../src/lib/errors.ts';
import type { Blob } from '../fixtures/blob.ts';
import { FlakyProxy } from '../fixtures/flaky.ts';
import { buildImage, imageId, type Image } from '../fixtures/images.ts';
import { layer, layerOfTar, noise, type Layer } from '../fixtures/layer.ts';
import { Registry } from '../fixtures/registry.ts';
import { file, writeTar } from '../fixtures/tar.ts';
import { plainHttp, StoreFixture } from './store-fixture.ts';

let directory: string;
let registry: Registry;
let proxy: FlakyProxy;
let fixture: StoreFixture;
let store: ImageStore;

const megabyte = 1024 * 1024;
const large = (seed: string): Layer => layer([file('large', noise(3 * megabyte, seed))], { compression: 'none' });
const blobPath = ({ descriptor }: Blob): RegExp => new RegExp(`/blobs/${descriptor.digest}`);

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'berth-registry-'));
  registry = await Registry.start({ directory });
});
afterAll(async () => {
  await registry.stop();
  rmSync(directory, { recursive: true, force: true });
});
beforeEach(async () => {
  proxy = await FlakyProxy.start(registry.url);
  fixture = new StoreFixture();
  store = await reopen();
});
afterEach(async () => {
  await store.close();
  await proxy.stop();
  await fixture.remove();
});

const reopen = (change: Partial<ImagesConfig> = {}): Promise<ImageStore> => fixture.open({ hosts: { [proxy.host]: plainHttp }, ...change });

async function push(tag: string, image: Image): Promise<string> {
  return (await registry.push('app', tag, image)).replace(registry.host, proxy.host);
}

const content = (area: 'blobs/sha256' | 'ingest'): readonly string[] => readdirSync(join(fixture.directory, 'content', area));

function expectNothing(): void {
  expect(store.list()).toEqual([]);
  expect(fixture.snapshotter.list()).toEqual([]);
  expect(content('blobs/sha256')).toEqual([]);
  expect(content('ingest')).toEqual([]);
}

test('a cut download goes on where it stopped', async () => {
  const image = buildImage({ label: 'cut', layers: [large('cut')] });
  const [only] = image.layers as [Layer];
  const reference = await push('cut', image);
  proxy.breakOn({ path: blobPath(only), times: 1, cutAfter: megabyte });
  expect((await store.pull({ reference, auth: undefined })).id).toBe(imageId(image));
  const ranges = proxy.seen.filter(({ path }) => blobPath(only).test(path)).map(({ range }) => range);
  expect(ranges).toEqual([undefined, expect.stringMatching(/^bytes=\d{5,}-$/)]);
  expect(fixture.heard.downloads).toEqual([only.descriptor.size]);
});

test('a server without ranges is read from the start again', async () => {
  const image = buildImage({ label: 'no-range', layers: [large('no-range')] });
  const [only] = image.layers as [Layer];
  const reference = await push('no-range', image);
  proxy.breakOn({ path: blobPath(only), times: 1, cutAfter: megabyte });
  proxy.breakOn({ path: blobPath(only), ignoreRange: true });
  expect((await store.pull({ reference, auth: undefined })).id).toBe(imageId(image));
});

test('a registry that has less of a blob than the manifest says is not asked forever', async () => {
  const [only] = [large('less')];
  const { size, digest } = only.descriptor;
  const image = buildImage({ label: 'less', layers: [only], override: { layers: [{ ...only.descriptor, size: size + 10 }] } });
  const reference = await push('less', image);
  const wanted = `cannot pull ${reference}: .*${String(size)} of the ${String(size + 10)} bytes of blob ${digest} came`;
  await expect(store.pull({ reference, auth: undefined })).rejects.toMatchObject({ kind: 'registry', message: expect.stringMatching(wanted) as unknown });
  expect(proxy.count('GET', blobPath(only))).toBe(7);
});

test('a server without ranges that always cuts at the same place is not asked forever', async () => {
  const image = buildImage({ label: 'same-place', layers: [large('same-place')] });
  const [only] = image.layers as [Layer];
  const reference = await push('same-place', image);
  proxy.breakOn({ path: blobPath(only), cutAfter: megabyte, ignoreRange: true });
  const wanted = `cannot pull ${reference}: .* of the ${String(only.descriptor.size)} bytes of blob ${only.descriptor.digest} came`;
  await expect(store.pull({ reference, auth: undefined })).rejects.toMatchObject({ kind: 'registry', message: expect.stringMatching(wanted) as unknown });
  // How much of it arrives before the cut is seen may differ a little.
  expect(proxy.count('GET', blobPath(only))).toBeLessThan(20);
});

test('a failed pull leaves its part for the next one, also across a restart', async () => {
  const image = buildImage({ label: 'later', layers: [large('later')] });
  const [only] = image.layers as [Layer];
  const reference = await push('later', image);
  proxy.breakOn({ path: blobPath(only), times: 1, cutAfter: megabyte });
  proxy.breakOn({ path: blobPath(only), status: 503 });
  await expect(store.pull({ reference, auth: undefined })).rejects.toMatchObject({ kind: 'registry', message: expect.stringContaining('503') as unknown });
  expect(store.list()).toEqual([]);
  expect(fixture.snapshotter.list()).toEqual([]);
  await store.close();
  proxy.heal();
  store = await reopen();
  expect((await store.pull({ reference, auth: undefined })).id).toBe(imageId(image));
  expect(proxy.seen.at(-1)?.range).toMatch(/^bytes=\d{5,}-$/);
  await store.collect();
  expect(content('ingest')).toEqual([]);
  expect(fixture.state.load('pull')).toEqual([]);
});

test('a pull that a shutdown cut off goes on at the next start', async () => {
  const image = buildImage({ label: 'shutdown', layers: [large('shutdown')] });
  const [only] = image.layers as [Layer];
  const reference = await push('shutdown', image);
  proxy.breakOn({ path: blobPath(only), times: 1, cutAfter: megabyte });
  proxy.breakOn({ path: blobPath(only), times: 1, delayMs: 60_000 });
  const cut = expect(store.pull({ reference, auth: undefined })).rejects.toMatchObject({ kind: 'unavailable' });
  await expect.poll(() => proxy.count('GET', blobPath(only))).toBe(2);
  await store.close();
  await cut;
  await expect(store.pull({ reference, auth: undefined })).rejects.toMatchObject({ kind: 'unavailable' });
  store = await reopen();
  expect((await store.pull({ reference, auth: undefined })).id).toBe(imageId(image));
  expect(proxy.seen.at(-1)?.range).toMatch(/^bytes=\d{5,}-$/);
});

test('a part that rotted on disk costs one download more, not the pull', async () => {
  const image = buildImage({ label: 'rotten', layers: [large('rotten')] });
  const [only] = image.layers as [Layer];
  const reference = await push('rotten', image);
  writeFileSync(join(fixture.directory, 'content/ingest', only.descriptor.digest.slice(7)), Buffer.alloc(megabyte));
  expect((await store.pull({ reference, auth: undefined })).id).toBe(imageId(image));
  expect(proxy.count('GET', blobPath(only))).toBe(2);
});

test('content that does not match its digest is refused', async () => {
  const image = buildImage({ label: 'corrupt', layers: [large('corrupt')] });
  const [only] = image.layers as [Layer];
  const reference = await push('corrupt', image);
  proxy.breakOn({ path: blobPath(only), corruptAt: 2 * megabyte });
  await expect(store.pull({ reference, auth: undefined })).rejects.toMatchObject({ kind: 'signature', message: expect.stringContaining(only.descriptor.digest) as unknown });
  expectNothing();
});

test('a manifest that does not match the digest asked for is refused', async () => {
  const image = buildImage({ label: 'manifest', layers: [large('manifest')] });
  await push('manifest', image);
  proxy.breakOn({ path: /manifests/, corruptAt: 20 });
  const reference = `${proxy.host}/app@${image.manifest.descriptor.digest}`;
  await expect(store.pull({ reference, auth: undefined })).rejects.toMatchObject({ kind: 'signature' });
  expectNothing();
});

test('a server that says another digest than the one asked about gets no other image started', async () => {
  const [asked, other] = [buildImage({ label: 'asked', layers: [large('asked')] }), buildImage({ label: 'other', layers: [large('other')] })];
  const digests = [asked, other].map(({ manifest }) => manifest.descriptor.digest);
  await push('asked', asked);
  await push('other', other);
  const [reference = '', second = ''] = digests.map((digest) => `${proxy.host}/app@${digest}`);
  await store.pull({ reference, auth: undefined });
  await store.pull({ reference: second, auth: undefined });
  expect((await store.pull({ reference, auth: undefined })).id).toBe(imageId(asked));
  proxy.breakOn({ path: /manifests/, headers: { 'docker-content-digest': digests[1] ?? '' } });
  await expect(store.pull({ reference, auth: undefined })).rejects.toMatchObject({ kind: 'signature', message: expect.stringContaining(digests[0] ?? '') as unknown });
});

test('a layer that does not match its diff id is refused', async () => {
  const honest = layer([file('a', 'one')]);
  const forged = { ...layerOfTar(writeTar([file('a', 'two')])), diffId: honest.diffId };
  const reference = await push('forged', buildImage({ label: 'forged', layers: [forged] }));
  await expect(store.pull({ reference, auth: undefined })).rejects.toMatchObject({ kind: 'invalid', message: expect.stringContaining(forged.descriptor.digest) as unknown });
  expectNothing();
});

test('a config with another number of layers is refused', async () => {
  const one = layer([file('a', 'one')]);
  const image = buildImage({ label: 'count', layers: [one], override: { layers: [one.descriptor, one.descriptor] } });
  await expect(store.pull({ reference: await push('count', image), auth: undefined })).rejects.toMatchObject({ kind: 'invalid' });
  expectNothing();
});

test('an image whose user would fill the lists of images is refused', async () => {
  const image = buildImage({ label: 'user', layers: [layer([file('a', 'a')])], run: { User: 'u'.repeat(megabyte) } });
  const reference = await push('user', image);
  await expect(store.pull({ reference, auth: undefined })).rejects.toMatchObject({ kind: 'invalid', message: expect.stringContaining(reference) as unknown });
  expectNothing();
});

test('errors in passing are tried again, others are not', async () => {
  const image = buildImage({ label: 'retry', layers: [large('retry')] });
  const reference = await push('retry', image);
  proxy.breakOn({ path: /manifests/, times: 2, status: 500 });
  await store.pull({ reference, auth: undefined });
  expect(proxy.count('GET', /manifests/)).toBe(3);
  proxy.breakOn({ path: /manifests\/gone/, status: 404 });
  await expect(store.pull({ reference: `${proxy.host}/app:gone`, auth: undefined })).rejects.toMatchObject({ kind: 'not-found' });
  expect(proxy.count('GET', /manifests\/gone/)).toBe(1);
});

test('a server without HEAD is asked with GET', async () => {
  const image = buildImage({ label: 'no-head', layers: [large('no-head')] });
  const reference = await push('no-head', image);
  await store.pull({ reference, auth: undefined });
  proxy.breakOn({ path: /manifests/, times: 1, status: 405 });
  expect((await store.pull({ reference, auth: undefined })).id).toBe(imageId(image));
  expect(proxy.seen.slice(-2).map(({ method }) => method)).toEqual(['HEAD', 'GET']);
});

test('a server that goes silent is left after the progress timeout', async () => {
  await store.close();
  store = await reopen({ progressTimeoutMs: 300 });
  const image = buildImage({ label: 'silent', layers: [large('silent')] });
  const reference = await push('silent', image);
  proxy.breakOn({ path: blobPath(image.layers[0] as Layer), times: 1, delayMs: 3000 });
  expect((await store.pull({ reference, auth: undefined })).id).toBe(imageId(image));
  expect(proxy.count('GET', blobPath(image.layers[0] as Layer))).toBe(2);
});

test('nobody answers', async () => {
  const { host } = proxy;
  await proxy.stop();
  await expect(store.pull({ reference: `${host}/app:tag`, auth: undefined })).rejects.toMatchObject({ kind: 'registry', message: expect.stringContaining('ECONNREFUSED') as unknown });
  proxy = await FlakyProxy.start(registry.url);
});

test('equal pulls at the same time are one', async () => {
  const image = buildImage({ label: 'joined', layers: [large('joined'), layer([file('b', 'b')])] });
  const reference = await push('joined', image);
  const pulled = await Promise.all([1, 2, 3].map(() => store.pull({ reference, auth: undefined })));
  expect(new Set(pulled).size).toBe(1);
  for (const blob of image.layers) expect(proxy.count('GET', blobPath(blob))).toBe(1);
  expect(proxy.count('GET', /manifests/)).toBe(1);
  expect(fixture.heard.outcomes).toEqual(['ok']);
});

test('different images at the same time share their common layers', async () => {
  const base = [large('base-1'), large('base-2')];
  const images = [1, 2, 3].map((number) => buildImage({ label: `shared-${String(number)}`, layers: [...base, layer([file('own', String(number))])] }));
  const references = await Promise.all(images.map((image, index) => push(`shared-${String(index)}`, image)));
  const pulled = await Promise.all(references.map((reference) => store.pull({ reference, auth: undefined })));
  expect(pulled.map(({ id }) => id)).toEqual(images.map(imageId));
  for (const blob of base) expect(proxy.count('GET', blobPath(blob))).toBe(1);
  expect(fixture.snapshotter.list()).toHaveLength(5);
  await store.collect();
  expect(content('ingest')).toEqual([]);
  expect(content('blobs/sha256')).toHaveLength(6);
});

test('one caller leaves, the others go on', async () => {
  const image = buildImage({ label: 'leaver', layers: [large('leaver')] });
  const reference = await push('leaver', image);
  proxy.breakOn({ path: blobPath(image.layers[0] as Layer), times: 1, delayMs: 300 });
  const leaving = new AbortController();
  const left = store.pull({ reference, auth: undefined }, leaving.signal);
  const stays = store.pull({ reference, auth: undefined });
  setTimeout(() => {
    leaving.abort(new BerthError('timeout', 'no patience'));
  }, 100);
  await expect(left).rejects.toMatchObject({ kind: 'timeout' });
  expect((await stays).id).toBe(imageId(image));
});

test('a pull that everybody left leaves nothing', async () => {
  const image = buildImage({ label: 'cancel', layers: [layer([file('a', 'a')]), large('cancel')] });
  const reference = await push('cancel', image);
  proxy.breakOn({ path: blobPath(image.layers[1] as Layer), times: 1, delayMs: 1000 });
  const pulling = store.pull({ reference, auth: undefined }, AbortSignal.timeout(300));
  await expect(pulling).rejects.toMatchObject({ name: 'TimeoutError' });
  await expect.poll(() => fixture.heard.outcomes).toEqual(['canceled']);
  expectNothing();
  expect(fixture.state.load('pull')).toEqual([]);
  expect((await store.pull({ reference, auth: undefined })).id).toBe(imageId(image));
});

test('a newcomer after everybody left starts anew', async () => {
  const image = buildImage({ label: 'anew', layers: [large('anew')] });
  const reference = await push('anew', image);
  proxy.breakOn({ path: blobPath(image.layers[0] as Layer), times: 1, delayMs: 500 });
  await expect(store.pull({ reference, auth: undefined }, AbortSignal.timeout(100))).rejects.toMatchObject({ name: 'TimeoutError' });
  expect((await store.pull({ reference, auth: undefined })).id).toBe(imageId(image));
});
