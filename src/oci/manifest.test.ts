import { expect, test } from 'vitest';
import { chooseEntry, encodeManifest, parseManifest } from './manifest.ts';
import { mediaTypes } from './media-type.ts';
import { digestOf } from './digest.ts';
import { platformOf } from './platform.ts';

const digest = digestOf('x');
const config = { mediaType: mediaTypes.ociConfig, digest, size: 2 };
const layerOf = (mediaType: string): object => ({ mediaType, digest, size: 3 });
const good = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layerOf(mediaTypes.ociLayer)] };
const parse = (value: unknown, contentType = ''): ReturnType<typeof parseManifest> => parseManifest(Buffer.from(JSON.stringify(value)), contentType, 'the image');
const invalid = (message: RegExp): unknown => expect.objectContaining({ kind: 'invalid', message: expect.stringMatching(message) as unknown });

test('a manifest, an index, and either without a type of its own', () => {
  expect(parse(good)).toMatchObject({ kind: 'manifest', config: { digest, size: 2 }, layers: [{ size: 3 }] });
  expect(parse({ ...good, mediaType: undefined })).toMatchObject({ kind: 'manifest' });
  expect(parse({ schemaVersion: 2, manifests: [{ mediaType: mediaTypes.ociManifest, digest, size: 1 }] }, mediaTypes.ociIndex)).toMatchObject({ kind: 'index', entries: [{ digest, platform: undefined }] });
});

test.each([
  ['not JSON at all', 'x', /not JSON|object/],
  ['both readings', { ...good, manifests: [] }, /both/],
  ['an index that calls itself a manifest', { mediaType: mediaTypes.ociManifest, manifests: [] }, /shape/],
  ['schema 1', { schemaVersion: 1, fsLayers: [] }, /schema 1/],
  ['a layer of an unknown type', { ...good, layers: [layerOf('application/x-helm-chart')] }, /unknown type/],
  ['an encrypted layer', { ...good, layers: [layerOf('application/vnd.oci.image.layer.v1.tar+gzip+encrypted')] }, /unknown type/],
  ['a manifest without a config', { ...good, config: undefined }, /config of the image.*object/],
  ['an index with a digest that is a path', { manifests: [{ mediaType: mediaTypes.ociManifest, digest: 'sha256:../x', size: 1 }] }, /digest/],
  ['a digest that is a path', { ...good, config: { ...config, digest: 'sha256:../../x' } }, /digest/],
  ['a negative size', { ...good, config: { ...config, size: -1 } }, /whole number/],
  ['too many layers', { ...good, layers: Array.from({ length: 501 }, () => layerOf(mediaTypes.ociLayer)) }, /501/],
])('refuses %s', (_name, value, message) => {
  expect(() => parse(value)).toThrow(invalid(message) as Error);
});

test('the entry for the node, passing over attestations', () => {
  const entry = (platform: object | undefined, content: string): object => ({ mediaType: mediaTypes.ociManifest, digest: digestOf(content), size: 1, ...(platform === undefined ? {} : { platform }) });
  const index = parse({ manifests: [entry({ os: 'unknown', architecture: 'unknown' }, '1'), entry({ os: 'linux', architecture: 'arm64' }, '2'), entry({ os: 'linux', architecture: 'amd64' }, '3')] });
  if (index.kind !== 'index') throw new Error('expected an index');
  expect(chooseEntry(index, platformOf('x64', ''), 'x').digest).toBe(digestOf('3'));
  expect(() => chooseEntry(index, platformOf('s390x', ''), 'x')).toThrow(expect.objectContaining({ kind: 'not-found', message: expect.stringContaining('linux/arm64, linux/amd64') }));
});

test('a manifest that is written can be read', () => {
  const bytes = encodeManifest({ digest, size: 1 }, [{ mediaType: mediaTypes.ociLayer, digest, size: 9 }]);
  expect(parseManifest(bytes, '', 'x')).toMatchObject({ kind: 'manifest', layers: [{ size: 9 }] });
});

test.each(['oci.image.layer.v1.tar', 'oci.image.layer.v1.tar+zstd', 'oci.image.layer.nondistributable.v1.tar+gzip', 'docker.image.rootfs.foreign.diff.tar.gzip', 'docker.image.rootfs.foreign.diff.tar', 'docker.image.rootfs.diff.tar.zstd'])('a layer of the type %s', (name) => {
  expect(parse({ ...good, layers: [layerOf(`application/vnd.${name}`)] })).toMatchObject({ layers: [{ size: 3 }] });
});

test('names of fields in any case', () => {
  const text = JSON.stringify(good).replace('"mediaType"', '"MediaType"').replace('"config"', '"Config"').replaceAll('"digest"', '"DIGEST"').replace('"layers"', '"Layers"');
  expect(parseManifest(Buffer.from(text), '', 'x')).toMatchObject({ kind: 'manifest', config: { digest }, layers: [{ digest }] });
});

test('entries that are no image here are passed over: other digests, other types, wanted features', () => {
  const platform = { os: 'linux', architecture: 'amd64' };
  const entry = { mediaType: mediaTypes.ociManifest, digest, size: 1, platform };
  const index = parse({
    manifests: [
      { ...entry, digest: `sha512:${'a'.repeat(128)}` },
      { ...entry, mediaType: 'application/vnd.oci.image.layer.v1.tar' },
      { ...entry, digest: digestOf('features'), platform: { ...platform, 'os.features': ['erofs'] } },
      { ...entry, digest: digestOf('windows'), platform: { ...platform, os: 'windows', 'os.version': '10.0.17763.1' } },
      entry,
    ],
  });
  if (index.kind !== 'index') throw new Error('expected an index');
  expect(index.entries).toHaveLength(3);
  expect(chooseEntry(index, platformOf('x64', ''), 'x').digest).toBe(digest);
});
