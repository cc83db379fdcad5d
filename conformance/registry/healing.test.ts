import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { ImageStore } from '../../src/images/image-service.ts';
import type { Image as StoredImage } from '../../src/images/port.ts';
import { writeLayoutTar } from '../fixtures/archive.ts';
import { buildImage, imageId } from '../fixtures/images.ts';
import { layer } from '../fixtures/layer.ts';
import { Registry } from '../fixtures/registry.ts';
import { dir, file } from '../fixtures/tar.ts';
import { plainHttp, StoreFixture } from './store-fixture.ts';

let directory: string;
let registry: Registry;
let reference: string;
let fixture: StoreFixture;
let store: ImageStore;

const image = buildImage({ label: 'healing', layers: [layer([dir('low'), file('low/a', 'a')]), layer([dir('mid'), file('mid/b', 'b')]), layer([file('top', 'c')])] });
const wanted = [['top'], ['mid'], ['low']];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'berth-healing-'));
  registry = await Registry.start({ directory });
  reference = await registry.push('app', '1', image);
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

const pull = (): Promise<StoredImage> => store.pull({ reference, auth: undefined });
async function pulled(discardUnpackedLayers: boolean): Promise<StoredImage> {
  store = await fixture.open({ hosts: { [registry.host]: plainHttp }, discardUnpackedLayers });
  return pull();
}
const blobPath = (digest: string): string => join(fixture.directory, 'content/blobs/sha256', digest.slice('sha256:'.length));

const losses: readonly (readonly [string, (dirs: readonly string[]) => void])[] = [
  ['its whole directory', ([, middle = '']) => { rmSync(dirname(middle), { recursive: true }); }],
  ['the directory of its files', ([, middle = '']) => { rmSync(middle, { recursive: true }); }],
  ['its files', ([, middle = '']) => { for (const name of readdirSync(middle)) rmSync(join(middle, name), { recursive: true }); }],
  ['all directories with it', (dirs) => { for (const each of dirs) rmSync(dirname(each), { recursive: true }); }],
];

for (const discard of [true, false]) {
  test.each(losses)(`a layer that lost %s comes back with the next pull (layers dropped: ${String(discard)})`, async (_name, lose) => {
    const { topSnapshot } = await pulled(discard);
    lose(await fixture.layerDirs(topSnapshot));
    expect((await pull()).id).toBe(imageId(image));
    expect(await fixture.files(topSnapshot)).toEqual(wanted);
    const downloads = fixture.heard.downloads.length;
    await pull();
    expect(fixture.heard.downloads).toHaveLength(downloads);
  });
}

test('one on which a container stands comes back, too, for the next container', async () => {
  const { topSnapshot } = await pulled(false);
  await fixture.snapshotter.prepare('container' as never, topSnapshot);
  const [top = ''] = await fixture.layerDirs(topSnapshot);
  rmSync(top, { recursive: true });
  await pull();
  expect(await fixture.files(topSnapshot)).toEqual(wanted);
  expect(fixture.snapshotter.layerDirs('container' as never).parents).toEqual(await fixture.layerDirs(topSnapshot));
  await fixture.snapshotter.remove('container' as never);
});

test('kept layers are enough for a container, without a pull', async () => {
  const { id, topSnapshot } = await pulled(false);
  const [, middle = ''] = await fixture.layerDirs(topSnapshot);
  rmSync(middle, { recursive: true });
  await store.unpack(id, 'overlay');
  expect(await fixture.files(topSnapshot)).toEqual(wanted);
  expect(fixture.heard.downloads).toHaveLength(3);
});

test('without them the image is absent, which those who ask first will mend by a pull', async () => {
  const { id, topSnapshot } = await pulled(true);
  await store.collect();
  const [, middle = ''] = await fixture.layerDirs(topSnapshot);
  rmSync(middle, { recursive: true });
  await expect(store.unpack(id, 'overlay')).rejects.toMatchObject({ kind: 'precondition', hint: 'pull the image again' });
  expect(store.find(reference)).toBeUndefined();
  expect((await pull()).id).toBe(id);
  expect(await fixture.files(topSnapshot)).toEqual(wanted);
});

test.each(['config', 'manifest', 'layers'] as const)('a pull brings back the %s that the disk lost', async (what) => {
  const { id } = await pulled(false);
  const lost = what === 'layers' ? image.layers.map(({ descriptor }) => descriptor.digest) : [image[what].descriptor.digest];
  for (const digest of lost) rmSync(blobPath(digest));
  await pull();
  expect(lost.map((digest) => existsSync(blobPath(digest)))).toEqual(lost.map(() => true));
  expect(Buffer.compare((await store.configDocument(id)) ?? Buffer.alloc(0), image.config.bytes)).toBe(0);
});

test('a kept layer that rotted comes once more when it is needed', async () => {
  const { id, topSnapshot } = await pulled(false);
  const [, middle = ''] = await fixture.layerDirs(topSnapshot);
  const { digest } = image.layers[1]?.descriptor ?? { digest: '' };
  rmSync(middle, { recursive: true });
  writeFileSync(blobPath(digest), 'rotten');
  await pull();
  expect(await fixture.files(topSnapshot)).toEqual(wanted);
  rmSync((await fixture.layerDirs(topSnapshot))[1] ?? '', { recursive: true });
  writeFileSync(blobPath(digest), 'rotten');
  await expect(store.unpack(id, 'overlay')).rejects.toMatchObject({ hint: 'pull the image again' });
  expect((await pull()).id).toBe(id);
  expect(await fixture.files(topSnapshot)).toEqual(wanted);
});

test('the archive that an image came from brings its layers back', async () => {
  store = await fixture.open();
  const archive = join(fixture.directory, 'archive.tar');
  writeLayoutTar(archive, { 'registry.example/app:1': image });
  const [imported] = await store.importArchive(archive, {});
  const [, middle = ''] = await fixture.layerDirs(imported?.topSnapshot);
  rmSync(dirname(middle), { recursive: true });
  await store.importArchive(archive, {});
  expect(await fixture.files(imported?.topSnapshot)).toEqual(wanted);
});

test('what was lost while berthd was away comes back in the same way', async () => {
  const { topSnapshot } = await pulled(true);
  const [, middle = ''] = await fixture.layerDirs(topSnapshot);
  rmSync(middle, { recursive: true });
  await store.close();
  await pulled(true);
  expect(await fixture.files(topSnapshot)).toEqual(wanted);
});
