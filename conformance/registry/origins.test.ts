import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { ImageStore } from '../../src/images/image-service.ts';
import { FlakyProxy } from '../fixtures/flaky.ts';
import { buildImage, imageId, type Image } from '../fixtures/images.ts';
import { layer, noise } from '../fixtures/layer.ts';
import { Registry } from '../fixtures/registry.ts';
import { file } from '../fixtures/tar.ts';
import { plainHttp, StoreFixture } from './store-fixture.ts';

let directory: string;
let registry: Registry;
let fixture: StoreFixture;
let store: ImageStore;

const megabyte = 1024 * 1024;
const popular = layer([file('large', noise(3 * megabyte, 'popular'))], { compression: 'none' });
const popularPath = new RegExp(`/blobs/${popular.descriptor.digest}`);
const derive = (label: string): Image => buildImage({ label, layers: [popular, layer([file('own', label)])] });

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'berth-registry-'));
  registry = await Registry.start({ directory });
});
afterAll(async () => {
  await registry.stop();
  rmSync(directory, { recursive: true, force: true });
});
beforeEach(() => {
  fixture = new StoreFixture();
});
afterEach(async () => {
  await store.close();
  await fixture.remove();
});

const parts = (): readonly string[] => readdirSync(join(fixture.directory, 'content/ingest'));

test.each([true, false])('a registry that stalls holds up no pull of the same layer from another (layers dropped: %s)', async (discardUnpackedLayers) => {
  const base = derive('base');
  await registry.push('app', 'base', base);
  await registry.push('app', 'derived', derive('derived'));
  await using slow = await FlakyProxy.start(registry.url);
  await using quick = await FlakyProxy.start(registry.url);
  store = await fixture.open({ hosts: { [slow.host]: plainHttp, [quick.host]: plainHttp }, discardUnpackedLayers, progressTimeoutMs: 60_000 });
  slow.breakOn({ path: popularPath, times: 1, cutAfter: megabyte });
  slow.breakOn({ path: popularPath, delayMs: 50_000 });
  const leaving = new AbortController();
  const stalled = store.pull({ reference: `${slow.host}/app:derived`, auth: undefined }, leaving.signal);
  stalled.catch(() => undefined);
  await expect.poll(() => slow.count('GET', popularPath)).toBe(2);
  const pulled = await store.pull({ reference: `${quick.host}/app:base`, auth: undefined }, AbortSignal.timeout(10_000));
  expect(pulled.id).toBe(imageId(base));
  leaving.abort(new Error('left'));
  await expect(stalled).rejects.toThrow('left');
  await expect.poll(() => fixture.heard.outcomes).toEqual(['ok', 'canceled']);
  await store.collect();
  expect(parts()).toEqual([]);
});
