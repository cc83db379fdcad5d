import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { ImageStore } from '../../src/images/image-service.ts';
import type { Image as StoredImage } from '../../src/images/port.ts';
import type { SnapshotKey } from '../../src/lib/ids.ts';
import type { Compression, Dialect } from '../fixtures/blob.ts';
import { buildImage, buildIndex, hostPlatform, imageId, type Image } from '../fixtures/images.ts';
import { layer, type LayerFormat } from '../fixtures/layer.ts';
import { Registry } from '../fixtures/registry.ts';
import { file } from '../fixtures/tar.ts';
import { plainHttp, StoreFixture } from './store-fixture.ts';

let directory: string;
let registry: Registry;
let fixture: StoreFixture;
let store: ImageStore;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'berth-registry-'));
  registry = await Registry.start({ directory });
});
afterAll(async () => {
  await registry.stop();
  rmSync(directory, { recursive: true, force: true });
});
beforeEach(async () => {
  fixture = new StoreFixture();
  store = await fixture.open({ hosts: { [registry.host]: plainHttp } });
});
afterEach(async () => {
  await store.close();
  await fixture.remove();
});

const pull = (reference: string): Promise<StoredImage> => store.pull({ reference, auth: undefined });

const small = (label: string, format: LayerFormat = {}): Image =>
  buildImage({ label, layers: [layer([file('a', 'one')], format), layer([file('b', label)], format)], ...(format.dialect === undefined ? {} : { dialect: format.dialect }) });

test('a tag becomes snapshots and a record', async () => {
  const image = buildImage({ label: 'tag', layers: [layer([file('a', 'one')]), layer([file('b', 'two')])], run: { Cmd: ['sh'], Env: ['A=1'], User: '1000:5' } });
  const reference = await registry.push('app', 'tag', image);
  const pulled = await pull(reference);
  expect(pulled).toMatchObject({ id: imageId(image), repoTags: [reference], repoDigests: [`${registry.host}/app@${image.manifest.descriptor.digest}`] });
  expect(pulled.config).toMatchObject({ cmd: ['sh'], env: ['A=1'], user: '1000:5' });
  expect(await fixture.files(pulled.topSnapshot)).toEqual([['b'], ['a']]);
  const [top = ''] = await fixture.layerDirs(pulled.topSnapshot);
  expect(readFileSync(join(top, 'b'), 'utf8')).toBe('two');
  const compressed = [image.manifest, image.config, ...image.layers].reduce((sum, { descriptor }) => sum + descriptor.size, 0);
  expect(pulled.size).toBe(compressed);
});

test('every kind of reference finds the same image', async () => {
  const image = small('references');
  const reference = await registry.push('deep/path/app', 'latest', image);
  const pulled = await pull(reference);
  const names = [pulled.id, pulled.id.slice(7), pulled.id.slice(7, 20), reference, reference.replace(':latest', ''), pulled.repoDigests[0] ?? ''];
  for (const name of names) expect(store.find(name)).toBe(pulled);
  expect(store.find('sha256:0000')).toBeUndefined();
  expect(store.find(`${registry.host}/deep/path/app:other`)).toBeUndefined();
});

test('a digest pulls without a tag, and beats the tag beside it', async () => {
  const image = small('digest');
  await registry.push('app', 'digest', image);
  const { digest } = image.manifest.descriptor;
  const pulled = await pull(`${registry.host}/app:unknown@${digest}`);
  expect(pulled).toMatchObject({ id: imageId(image), repoTags: [], repoDigests: [`${registry.host}/app@${digest}`] });
});

test('an index gives the image of this platform', async () => {
  const foreign = buildImage({ label: 'foreign', layers: [layer([file('x', 'x')])], platform: { os: 'linux', architecture: 's390x' } });
  const index = buildIndex([foreign, small('native')]);
  const reference = await registry.push('app', 'index', index);
  const pulled = await pull(reference);
  expect(pulled.id).toBe(imageId(index.images[1] as Image));
  expect(pulled.repoDigests).toEqual([`${registry.host}/app@${index.index.descriptor.digest}`]);
  expect(store.find(pulled.repoDigests[0] ?? '')).toBe(pulled);
});

test('an image of another platform is refused by name', async () => {
  const foreign = buildImage({ label: 'foreign', layers: [layer([file('x', 'x')])], platform: { os: 'linux', architecture: 's390x' } });
  const single = await registry.push('app', 'single', foreign);
  const listed = await registry.push('app', 'listed', buildIndex([foreign]));
  for (const reference of [single, listed]) await expect(pull(reference)).rejects.toMatchObject({ kind: 'not-found', message: expect.stringMatching(/s390x/) as unknown });
  expect(hostPlatform.architecture).not.toBe('s390x');
});

test.each<[Dialect, Compression]>([
  ['oci', 'none'],
  ['oci', 'gzip'],
  ['oci', 'zstd'],
  ['docker', 'none'],
  ['docker', 'gzip'],
])('%s layers with %s compression', async (dialect, compression) => {
  const reference = await registry.push('formats', `${dialect}-${compression}`, small(`${dialect}-${compression}`, { dialect, compression }));
  expect(await fixture.files((await pull(reference)).topSnapshot)).toEqual([['b'], ['a']]);
});

test('a tag that moved takes its name along; the old image stays under its digest', async () => {
  const [first, second] = [small('first'), small('second')];
  const reference = await registry.push('moving', 'tag', first);
  const old = await pull(reference);
  await registry.push('moving', 'tag', second);
  expect(await pull(reference)).toMatchObject({ id: imageId(second), repoTags: [reference] });
  expect(store.find(old.id)).toMatchObject({ repoTags: [], repoDigests: old.repoDigests });
});

test('two names of one image are one record', async () => {
  const image = small('twice');
  const first = await pull(await registry.push('one', 'tag', image));
  const second = await pull(await registry.push('two', 'tag', image));
  expect(second.id).toBe(first.id);
  expect(second.repoTags).toEqual([`${registry.host}/one:tag`, `${registry.host}/two:tag`]);
  await store.remove(`${registry.host}/one:tag`);
  expect(store.list()).toEqual([]);
});

test('removing frees snapshots and blobs, but not under a container', async () => {
  const image = await pull(await registry.push('removed', 'tag', small('removed')));
  const other = await pull(await registry.push('kept', 'tag', small('kept')));
  const top = image.topSnapshot as SnapshotKey;
  await fixture.snapshotter.prepare('container' as SnapshotKey, top);
  await store.remove(image.id);
  await store.remove(image.id);
  expect(store.find(image.id)).toBeUndefined();
  expect(fixture.snapshotter.stat(top)).toBeDefined();
  await fixture.snapshotter.remove('container' as SnapshotKey);
  await store.collect();
  expect(fixture.snapshotter.stat(top)).toBeUndefined();
  // The lower layer is shared with the image that stays.
  expect(fixture.snapshotter.list()).toHaveLength(2);
  expect(await fixture.files(other.topSnapshot)).toEqual([['b'], ['a']]);
  await store.remove(other.id);
  expect(fixture.snapshotter.list()).toEqual([]);
  expect(readdirSync(join(fixture.directory, 'content/blobs/sha256'))).toEqual([]);
  expect(readdirSync(join(fixture.directory, 'content/ingest'))).toEqual([]);
});

test('layer blobs stay when they are to be kept', async () => {
  const keeping = new StoreFixture();
  const kept = await keeping.open({ hosts: { [registry.host]: plainHttp }, discardUnpackedLayers: false });
  try {
    const image = small('kept-blobs');
    await kept.pull({ reference: await registry.push('app', 'kept-blobs', image), auth: undefined });
    await kept.collect();
    const hexes = [image.manifest, image.config, ...image.layers].map(({ descriptor }) => descriptor.digest.slice(7));
    expect(readdirSync(join(keeping.directory, 'content/blobs/sha256')).toSorted()).toEqual(hexes.toSorted());
  } finally {
    await kept.close();
    await keeping.remove();
  }
});

test('images are there after a restart, except those whose layers are gone', async () => {
  const image = await pull(await registry.push('app', 'restart', small('restart')));
  const lost = await pull(await registry.push('app', 'lost', small('lost')));
  await fixture.snapshotter.remove(lost.topSnapshot as SnapshotKey);
  await store.close();
  store = await fixture.open({ hosts: { [registry.host]: plainHttp }, pinned: [`${registry.host}/app:restart`] });
  expect(store.list()).toEqual([{ ...image, pinned: true }]);
  expect(fixture.warnings).toHaveLength(1);
  expect(fixture.warnings[0]).toMatch(new RegExp(`quarantine.*${lost.id}.*layers are gone`, 's'));
});

test('usage counts blobs and snapshots', async () => {
  const before = await store.usage();
  expect(before.mountpoint).toContain(fixture.directory);
  const image = await pull(await registry.push('app', 'usage', small('usage')));
  const snapshots = await fixture.snapshotter.usage(image.topSnapshot as SnapshotKey);
  expect((await store.usage()).bytes).toBeGreaterThan(before.bytes + snapshots.bytes);
  await store.remove(image.id);
  expect((await store.usage()).bytes).toBe(before.bytes);
});

test('progress is told from resolving to done', async () => {
  const phases: string[] = [];
  const reference = await registry.push('app', 'progress', small('progress'));
  const pulling = store.pull({ reference, auth: undefined, onProgress: ({ phase, layers }) => phases.push(`${phase} ${String(layers.filter((one) => one.unpacked).length)}`) });
  expect(store.pulls()).toMatchObject([{ reference, progress: { phase: 'resolving' } }]);
  await pulling;
  expect(phases.at(-1)).toBe('done 2');
  expect(phases).toContain('unpacking 1');
  expect(store.pulls()).toEqual([]);
});

test('a registry that has not the tag', async () => {
  await registry.push('app', 'there', small('there'));
  await expect(pull(`${registry.host}/app:absent`)).rejects.toMatchObject({ kind: 'not-found', message: expect.stringMatching(/app:absent.*404/) as unknown });
});

test('a short name without a default registry', async () => {
  await expect(pull('busybox')).rejects.toMatchObject({ kind: 'invalid', hint: expect.stringContaining('registry host') as unknown });
});
