import { BerthError } from '../lib/errors.ts';
import type { Digest } from '../lib/ids.ts';
import { asObject, countField, fieldOf, listField, objectField, parseJsonObject, stringField, stringMapField, stringsField, type JsonObject } from '../lib/json-fields.ts';
import { isDigest, parseDigest } from './digest.ts';
import { isIndexType, isLayerType, isManifestType, isSchemaOne, mediaTypes } from './media-type.ts';
import { formatPlatform, rankPlatform, type Platform } from './platform.ts';

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly annotations: Readonly<Record<string, string>>;
  readonly platform: Platform | undefined;
}

/** One image in several builds. */
export interface ImageIndex {
  readonly kind: 'index';
  readonly entries: readonly Descriptor[];
}

/** One build of an image; layers bottom first. */
export interface ImageManifest {
  readonly kind: 'manifest';
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** A registry must not make us hold more than this in memory for one document. */
export const maxManifestBytes = 4 * 1024 * 1024;

/** The kernel stacks no more overlay layers than this. */
const maxLayers = 500;

function parsePlatform(object: JsonObject | undefined, what: string): Platform | undefined {
  if (object === undefined) return undefined;
  return {
    os: stringField(object, 'os', what),
    architecture: stringField(object, 'architecture', what),
    variant: stringField(object, 'variant', what),
    osFeatures: stringsField(object, 'os.features', what),
  };
}

function parseDescriptor(value: unknown, what: string): Descriptor {
  const object = asObject(value, what);
  return {
    mediaType: stringField(object, 'mediaType', what),
    digest: parseDigest(stringField(object, 'digest', what), `digest in ${what}`),
    size: countField(object, 'size', what),
    annotations: stringMapField(object, 'annotations', what),
    platform: parsePlatform(objectField(object, 'platform', what), what),
  };
}

function checkLayer(layer: Descriptor, what: string): Descriptor {
  if (isLayerType(layer.mediaType)) return layer;
  throw new BerthError('invalid', `${what} has a layer of the unknown type "${layer.mediaType}"`, { hint: 'it may be an artifact rather than a container image' });
}

function parseImageManifest(object: JsonObject, what: string): ImageManifest {
  const config = parseDescriptor(fieldOf(object, 'config'), `config of ${what}`);
  const layers = listField(object, 'layers', what).map((layer) => checkLayer(parseDescriptor(layer, `layer of ${what}`), what));
  if (layers.length > maxLayers) throw new BerthError('invalid', `${what} has ${String(layers.length)} layers, more than the kernel's ${String(maxLayers)}`);
  return { kind: 'manifest', config, layers };
}

const digestPattern = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[A-Za-z0-9=_-]+$/;

/** An entry that berth cannot use, because it is no image or its digest is of another algorithm, is none; others may be. */
function parseEntry(value: unknown, what: string): readonly Descriptor[] {
  const object = asObject(value, what);
  const mediaType = stringField(object, 'mediaType', what);
  const digest = stringField(object, 'digest', what);
  const isOther = mediaType !== '' && !isIndexType(mediaType) && !isManifestType(mediaType);
  return isOther || (!isDigest(digest) && !digest.startsWith('sha256:') && digestPattern.test(digest)) ? [] : [parseDescriptor(object, what)];
}

function parseIndex(object: JsonObject, what: string): ImageIndex {
  return { kind: 'index', entries: listField(object, 'manifests', what).flatMap((entry) => parseEntry(entry, `entry of ${what}`)) };
}

function refuseSchemaOne(object: JsonObject, mediaType: string, what: string): void {
  if (!isSchemaOne(mediaType) && fieldOf(object, 'schemaVersion') !== 1 && fieldOf(object, 'fsLayers') === undefined) return;
  throw new BerthError('invalid', `${what} has Docker's old manifest schema 1`, { hint: 'push the image again with a current tool' });
}

/**
 * Reads an OCI index, an OCI manifest or their Docker schema 2 cousins.
 *
 * @param contentType what the registry or the parent descriptor called it; counts when the document has no type itself
 * @param what names the document in errors
 */
export function parseManifest(bytes: Uint8Array, contentType: string, what: string): ImageIndex | ImageManifest {
  const object = parseJsonObject(bytes, what);
  const mediaType = stringField(object, 'mediaType', what);
  refuseSchemaOne(object, mediaType === '' ? contentType : mediaType, what);
  const looksLikeIndex = fieldOf(object, 'manifests') !== undefined;
  // One document with both readings could be an image to the scanner and another one to us.
  if (looksLikeIndex && (fieldOf(object, 'layers') !== undefined || fieldOf(object, 'config') !== undefined)) {
    throw new BerthError('invalid', `${what} is both an index and a manifest`);
  }
  const type = [mediaType, contentType].find((candidate) => isIndexType(candidate) || isManifestType(candidate));
  const isIndex = type === undefined ? looksLikeIndex : isIndexType(type);
  if (isIndex !== looksLikeIndex) throw new BerthError('invalid', `${what} does not have the shape of its type "${type ?? ''}"`);
  return isIndex ? parseIndex(object, what) : parseImageManifest(object, what);
}

/** The entry of an index that runs best on the node; the first of equals. */
export function chooseEntry(index: ImageIndex, node: Platform, what: string): Descriptor {
  let best: { readonly entry: Descriptor; readonly rank: number } | undefined;
  for (const entry of index.entries) {
    const rank = entry.platform === undefined ? 1 : rankPlatform(node, entry.platform);
    if (rank > (best?.rank ?? 0)) best = { entry, rank };
  }
  if (best !== undefined) return best.entry;
  const offered = index.entries.flatMap(({ platform }) => (platform === undefined || platform.os === 'unknown' ? [] : [formatPlatform(platform)]));
  throw new BerthError('not-found', `${what} has no image for ${formatPlatform(node)}; it offers ${offered.join(', ') || 'none'}`);
}

/** Writes a manifest for an image that came without one. */
export function encodeManifest(config: { digest: Digest; size: number }, layers: readonly { mediaType: string; digest: Digest; size: number }[]): Uint8Array {
  const document = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: config.digest, size: config.size },
    layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
  };
  return new TextEncoder().encode(JSON.stringify(document));
}
