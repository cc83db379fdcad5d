import { BerthError, messageOf } from '../../lib/errors.ts';
import type { Digest, ImageId, SnapshotKey } from '../../lib/ids.ts';
import { chainIds } from '../../oci/digest.ts';
import { parseImageConfig, type ImageConfig } from '../../oci/image-config.ts';
import type { Descriptor, ImageManifest } from '../../oci/manifest.ts';
import { isConfigType } from '../../oci/media-type.ts';
import { formatPlatform, isForNode, type Platform } from '../../oci/platform.ts';
import type { Needs } from '../records/unfinished-pulls.ts';

export interface LayerPlan {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
  /** The snapshot that this layer completes. */
  readonly snapshot: SnapshotKey;
  readonly parent: SnapshotKey | undefined;
}

/** A small document of the image: index, manifest or config. */
export interface ImageDocument {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

/** Everything about an image but its layers' content. */
export interface ImagePlan {
  /** Digest of what the reference named: the index, or the manifest if there is none. */
  readonly target: Digest;
  readonly id: ImageId;
  readonly manifestDigest: Digest;
  readonly documents: readonly ImageDocument[];
  readonly size: number;
  readonly config: ImageConfig;
  readonly layers: readonly LayerPlan[];
}

function planLayers(manifest: ImageManifest, diffIds: readonly Digest[], what: string): readonly LayerPlan[] {
  if (manifest.layers.length !== diffIds.length) {
    throw new BerthError('invalid', `${what} has ${String(manifest.layers.length)} layers but its config lists ${String(diffIds.length)}`);
  }
  const chain = chainIds(diffIds);
  return manifest.layers.flatMap((descriptor, index) => {
    const diffId = diffIds[index];
    const snapshot = chain[index];
    return diffId === undefined || snapshot === undefined ? [] : [{ descriptor, diffId, snapshot, parent: chain[index - 1] }];
  });
}

export interface PlanInput {
  /** Outermost first; the last one is the manifest itself. */
  readonly manifests: readonly [ImageDocument, ...ImageDocument[]];
  readonly manifest: ImageManifest;
  readonly configBytes: Uint8Array;
  /** For what an index offers the manifest. It counts before the config, where builders leave the word of the machine they ran on. */
  readonly offered: Platform | undefined;
  readonly node: Platform;
  /** Names the image in errors. */
  readonly what: string;
}

/** A config is what can be read as one: old Dockers pushed them as application/octet-stream, and some tools say nothing. */
function readConfig({ config: { mediaType } }: ImageManifest, bytes: Uint8Array, what: string): ImageConfig {
  try {
    return parseImageConfig(bytes, `config of ${what}`);
  } catch (cause) {
    if (isConfigType(mediaType)) throw cause;
    throw new BerthError('invalid', `${what} is no container image: its config is of type "${mediaType}"; ${messageOf(cause)}`, { cause });
  }
}

/** Puts an image's documents together; fails `invalid` when they contradict each other, `not-found` when it is for another platform. */
export function planImage({ manifests, manifest, configBytes, offered, node, what }: PlanInput): ImagePlan {
  const config = readConfig(manifest, configBytes, what);
  const platform = offered ?? config.platform;
  if (!isForNode(node, platform)) {
    throw new BerthError('not-found', `${what} is for ${formatPlatform(platform)} but this node is ${formatPlatform(node)}`);
  }
  const own = manifests.at(-1) ?? manifests[0];
  const layers = planLayers(manifest, config.diffIds, what);
  return {
    target: manifests[0].digest,
    id: manifest.config.digest as string as ImageId,
    manifestDigest: own.digest,
    documents: [...manifests, { digest: manifest.config.digest, bytes: configBytes }],
    size: own.bytes.byteLength + configBytes.byteLength + layers.reduce((sum, layer) => sum + layer.descriptor.size, 0),
    config,
    layers,
  };
}

/** What the image needs in the content store and among the snapshots, layer blobs included. */
export function needsOf(plan: ImagePlan): Needs {
  return {
    digests: [...plan.documents.map(({ digest }) => digest), ...plan.layers.map(({ descriptor }) => descriptor.digest)],
    snapshots: plan.layers.map(({ snapshot }) => snapshot),
  };
}
