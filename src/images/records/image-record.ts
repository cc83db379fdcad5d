import type { Digest, ImageId } from '../../lib/ids.ts';
import { asObject, countField, listField, objectField, stringField, stringMapField, stringsField } from '../../lib/json-fields.ts';
import { chainIds, parseDigest } from '../../oci/digest.ts';
import { userField, type ImageRuntimeConfig } from '../../oci/image-config.ts';
import type { Image } from '../port.ts';

export interface LayerRecord {
  readonly digest: Digest;
  readonly diffId: Digest;
  readonly mediaType: string;
  readonly size: number;
}

/** An image as it is stored. Snapshots are not in it: they follow from the diff ids. */
export interface ImageRecord {
  readonly id: ImageId;
  readonly tags: readonly string[];
  readonly digests: readonly string[];
  readonly manifestDigest: Digest;
  /** Index, manifests and config: content that stays while the image does. */
  readonly documents: readonly Digest[];
  readonly size: number;
  readonly layers: readonly LayerRecord[];
  readonly config: ImageRuntimeConfig;
  /** Decimal, since JSON has no 64-bit numbers. */
  readonly createdAtNs: string;
}

const what = 'image record';

function parseLayer(value: unknown): LayerRecord {
  const object = asObject(value, what);
  return {
    digest: parseDigest(stringField(object, 'digest', what)),
    diffId: parseDigest(stringField(object, 'diffId', what)),
    mediaType: stringField(object, 'mediaType', what),
    size: countField(object, 'size', what),
  };
}

function parseRuntimeConfig(value: unknown): ImageRuntimeConfig {
  const object = asObject(value, what);
  return {
    user: userField(object, 'user', what),
    env: stringsField(object, 'env', what),
    entrypoint: stringsField(object, 'entrypoint', what),
    cmd: stringsField(object, 'cmd', what),
    workingDir: stringField(object, 'workingDir', what),
    volumes: stringsField(object, 'volumes', what),
    stopSignal: stringField(object, 'stopSignal', what),
    labels: stringMapField(object, 'labels', what),
  };
}

/** Checks what the store gave back; fails `invalid`. */
export function parseImageRecord(value: unknown): ImageRecord {
  const object = asObject(value, what);
  return {
    id: parseDigest(stringField(object, 'id', what)) as string as ImageId,
    tags: stringsField(object, 'tags', what),
    digests: stringsField(object, 'digests', what),
    manifestDigest: parseDigest(stringField(object, 'manifestDigest', what)),
    documents: stringsField(object, 'documents', what).map((text) => parseDigest(text)),
    size: countField(object, 'size', what),
    layers: listField(object, 'layers', what).map(parseLayer),
    config: parseRuntimeConfig(objectField(object, 'config', what)),
    createdAtNs: BigInt(stringField(object, 'createdAtNs', what)).toString(),
  };
}

export function toImage(record: ImageRecord, isPinned: (name: string) => boolean): Image {
  return {
    id: record.id,
    repoTags: record.tags,
    repoDigests: record.digests,
    manifestDigest: record.manifestDigest,
    size: record.size,
    layers: record.layers,
    topSnapshot: chainIds(record.layers.map(({ diffId }) => diffId)).at(-1),
    config: record.config,
    pinned: [...record.tags, ...record.digests].some(isPinned),
    createdAtNs: BigInt(record.createdAtNs),
  };
}
