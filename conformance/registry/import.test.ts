import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ImageStore } from '../../src/images/image-service.ts';
import { layoutEntries, writeDockerArchive, writeLayoutDir, writeLayoutTar } from '../fixtures/archive.ts';
import { buildImage, buildIndex, imageId, type Image } from '../fixtures/images.ts';
import { layer, layerOfTar } from '../fixtures/layer.ts';
import { dir, file, symlink, writeTar } from '../fixtures/tar.ts';
import { StoreFixture } from './store-fixture.ts';

let fixture: StoreFixture;
let store: ImageStore;
let archive: string;

beforeEach(async () => {
  fixture = new StoreFixture();
  store = await fixture.open();
  archive = join(fixture.directory, 'archive.tar');
});
afterEach(async () => {
  await store.close();
  await fixture.remove();
});

const image = (label: string): Image => buildImage({ label, layers: [layer([file('a', 'one')]), layer([file('b', label)])] });
const plain = (label: string): Image => buildImage({ label, layers: [layer([file('a', 'one')], { compression: 'none' }), layer([file('b', label)], { compression: 'none' })] });

function expectEmpty(): void {
  expect(store.list()).toEqual([]);
  expect(fixture.snapshotter.list()).toEqual([]);
  expect(readdirSync(join(fixture.directory, 'content/blobs/sha256'))).toEqual([]);
}

test('an OCI layout as a tar file, with an index and two images', async () => {
  const single = image('single');
  const index = buildIndex([buildImage({ label: 'foreign', layers: [], platform: { os: 'linux', architecture: 's390x' } }), image('indexed')]);
  writeLayoutTar(archive, { 'registry.example/single:1': single, 'registry.example/indexed:2': index });
  const images = await store.importArchive(archive, {});
  expect(images).toMatchObject([
    { id: imageId(single), repoTags: ['registry.example/single:1'], repoDigests: [`registry.example/single@${single.manifest.descriptor.digest}`] },
    { id: imageId(index.images[1] as Image), repoTags: ['registry.example/indexed:2'], repoDigests: [`registry.example/indexed@${index.index.descriptor.digest}`] },
  ]);
  expect(store.find('registry.example/single:1')).toBe(images[0]);
  expect(fixture.snapshotter.list()).toHaveLength(3);
});

test('an OCI layout as a directory, under a name of the caller', async () => {
  const layout = join(fixture.directory, 'layout');
  mkdirSync(layout);
  writeLayoutDir(layout, { 'registry.example/app:1': image('dir') });
  const [imported] = await store.importArchive(layout, { reference: 'registry.example/other:2' });
  expect(imported?.repoTags).toEqual(['registry.example/other:2']);
});

test('short names in an archive are Docker Hub\'s', async () => {
  const hub = await fixture.open({ defaultRegistry: 'docker.io/library' });
  writeDockerArchive(archive, { 'nginx:1': plain('short'), 'team/app:1': plain('team') });
  const images = await hub.importArchive(archive, {});
  expect(images.map(({ repoTags }) => repoTags)).toEqual([['docker.io/library/nginx:1'], ['docker.io/team/app:1']]);
  expect((await hub.importArchive(archive, {}))[0]).toBe(hub.find('docker.io/nginx:1'));
  await hub.close();
});

test('one name cannot be given to two images', async () => {
  writeLayoutTar(archive, { 'registry.example/a:1': image('a'), 'registry.example/b:1': image('b') });
  await expect(store.importArchive(archive, { reference: 'registry.example/c:1' })).rejects.toMatchObject({ kind: 'invalid' });
});

test('what docker save wrote', async () => {
  const saved = plain('saved');
  writeDockerArchive(archive, { 'registry.example/saved:1': saved });
  const [imported] = await store.importArchive(archive, {});
  expect(imported).toMatchObject({ id: imageId(saved), repoTags: ['registry.example/saved:1'] });
  expect(imported?.layers.map(({ diffId }) => diffId)).toEqual(saved.layers.map(({ diffId }) => diffId));
  expect(fixture.snapshotter.list()).toHaveLength(2);
});

test('a docker archive whose second layer is a link to the first', async () => {
  const one = layer([file('a', 'one')], { compression: 'none' });
  const twice = buildImage({ label: 'twice', layers: [one, one] });
  const manifest = [{ Config: 'config.json', RepoTags: null, Layers: ['x/layer.tar', 'y/layer.tar'] }];
  writeFileSync(archive, writeTar([dir('x'), file('x/layer.tar', one.bytes), symlink('y/layer.tar', '../x/layer.tar'), file('config.json', twice.config.bytes), file('manifest.json', JSON.stringify(manifest))]));
  const [imported] = await store.importArchive(archive, {});
  expect(imported).toMatchObject({ id: imageId(twice), repoTags: [], repoDigests: [] });
  expect(fixture.snapshotter.list()).toHaveLength(2);
});

test('an archive of more names than an operator gives', async () => {
  const named = plain('named');
  const names = Array.from({ length: 1001 }, (_none, index) => `registry.example/app:${String(index)}`);
  const manifest = [{ Config: 'config.json', RepoTags: names, Layers: ['0.tar', '1.tar'] }];
  writeFileSync(archive, writeTar([...named.layers.map(({ bytes }, index) => file(`${String(index)}.tar`, bytes)), file('config.json', named.config.bytes), file('manifest.json', JSON.stringify(manifest))]));
  await expect(store.importArchive(archive, {})).rejects.toMatchObject({ kind: 'invalid', message: expect.stringContaining(archive) as unknown });
  expectEmpty();
  expect(await store.importArchive(archive, { reference: 'registry.example/app:1' })).toMatchObject([{ repoTags: ['registry.example/app:1'] }]);
});

const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]);

test.each([
  ['gzip', (bytes: Buffer) => gzipSync(bytes)],
  ['gzip of several members', (bytes: Buffer) => Buffer.concat([gzipSync(bytes.subarray(0, 700)), gzipSync(bytes.subarray(700))])],
  ['zstd that begins with a skippable frame', (bytes: Buffer) => Buffer.concat([skippable, zstdCompressSync(bytes)])],
])('archives that are packed with %s', async (_name, pack) => {
  writeLayoutTar(archive, { 'registry.example/layout:1': image('layout') });
  writeFileSync(archive, pack(readFileSync(archive)));
  expect(await store.importArchive(archive, {})).toMatchObject([{ repoTags: ['registry.example/layout:1'] }]);
  writeDockerArchive(archive, { 'registry.example/saved:1': plain('saved') });
  writeFileSync(archive, pack(readFileSync(archive)));
  expect(await store.importArchive(archive, {})).toMatchObject([{ repoTags: ['registry.example/saved:1'] }]);
  expect(readdirSync(join(fixture.directory, 'content')).toSorted()).toEqual(['blobs', 'ingest']);
});

test('an archive that tar(1) packed of a directory', async () => {
  const layout = join(fixture.directory, 'layout');
  mkdirSync(layout);
  writeLayoutDir(layout, { 'registry.example/app:1': image('tar') });
  execFileSync('tar', ['-C', layout, '-cf', archive, '.']);
  expect(await store.importArchive(archive, {})).toMatchObject([{ repoTags: ['registry.example/app:1'] }]);
});

test('a blob that does not match its digest', async () => {
  const honest = image('honest');
  const name = `blobs/sha256/${honest.layers[0]?.descriptor.digest.slice(7) ?? ''}`;
  const zeros = file(name, Buffer.alloc(honest.layers[0]?.bytes.byteLength ?? 0));
  const entries = layoutEntries({ 'registry.example/app:1': honest }).map((entry) => (entry.name === name ? zeros : entry));
  writeFileSync(archive, writeTar(entries));
  await expect(store.importArchive(archive, {})).rejects.toMatchObject({ kind: 'signature' });
  expectEmpty();
});

test('a layer of a docker archive that does not match its diff id', async () => {
  const honest = plain('honest');
  const forged = { ...honest, layers: [honest.layers[0], layerOfTar(writeTar([file('b', 'forged')]), { compression: 'none' })] } as Image;
  writeDockerArchive(archive, { 'registry.example/app:1': forged });
  await expect(store.importArchive(archive, {})).rejects.toMatchObject({ kind: 'signature' });
  expectEmpty();
});

test.each([
  ['a file that is no archive', Buffer.from('hello'.repeat(200)), /tar archive/],
  ['a packed archive that was cut', gzipSync(Buffer.alloc(4096, 'x')).subarray(0, 20), /damaged.*gzip/],
  ['a packed file that is no archive', zstdCompressSync(Buffer.alloc(4096, 'x')), /tar archive/],
  ['an archive that is packed with xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 0]), /xz/],
  ['an archive of something else', writeTar([file('readme', 'hi')]), /neither/],
])('%s', async (_name, bytes, message) => {
  writeFileSync(archive, bytes);
  await expect(store.importArchive(archive, {})).rejects.toMatchObject({ kind: 'invalid', message: expect.stringMatching(message) as unknown });
});

test('no file', async () => {
  await expect(store.importArchive('/nonexistent/archive.tar', {})).rejects.toMatchObject({ kind: 'not-found' });
});
