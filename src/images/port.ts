import type { Digest, ImageId, SnapshotKey } from '../lib/ids.ts';
import type { SnapshotterName } from '../snapshotter/port.ts';
import type { ImageRuntimeConfig } from '../oci/image-config.ts';

export interface RegistryAuth {
  readonly username: string;
  readonly password: string;
  readonly identityToken: string;
  readonly registryToken: string;
  /** Empty: the registry that the reference names. */
  readonly serverAddress: string;
}

export type { ImageRuntimeConfig } from '../oci/image-config.ts';

export interface Image {
  readonly id: ImageId;
  /** Fully qualified `host/name:tag`. */
  readonly repoTags: readonly string[];
  /** Fully qualified `host/name@sha256:…`. */
  readonly repoDigests: readonly string[];
  /** Digest of the platform manifest. */
  readonly manifestDigest: Digest;
  /** Compressed bytes: manifest, config and layers. */
  readonly size: number;
  readonly layers: readonly { readonly digest: Digest; readonly diffId: Digest; readonly mediaType: string; readonly size: number }[];
  /** Snapshot of the topmost layer; undefined for an image without layers. */
  readonly topSnapshot: SnapshotKey | undefined;
  readonly config: ImageRuntimeConfig;
  readonly pinned: boolean;
  readonly createdAtNs: bigint;
}

export interface PullProgress {
  readonly phase: 'resolving' | 'downloading' | 'unpacking' | 'done';
  readonly layers: readonly { readonly digest: string; readonly doneBytes: number; readonly totalBytes: number; readonly unpacked: boolean }[];
}

export interface PullRequest {
  readonly reference: string;
  readonly auth: RegistryAuth | undefined;
  /** Where its layers are unpacked; default: as the default runtime handler wants it. */
  readonly snapshotter?: SnapshotterName;
  readonly onProgress?: (progress: PullProgress) => void;
}

export interface StoreUsage {
  readonly bytes: number;
  readonly inodes: number;
  /** Directory whose filesystem holds images. */
  readonly mountpoint: string;
}

export interface ImageService {
  /** Concurrent pulls of one reference with the same credentials are one pull; each caller may leave alone. */
  pull(request: PullRequest, signal?: AbortSignal): Promise<Image>;
  /** Loads an OCI layout or docker-archive tar file; returns the images it held. */
  importArchive(path: string, options: { readonly reference?: string }, signal?: AbortSignal): Promise<readonly Image[]>;
  list(): readonly Image[];
  /** By id, id prefix, tag, digest or short name. */
  find(reference: string): Image | undefined;
  /** An image's whole config as its author wrote it: JSON. undefined when it is not on disk any more. */
  configDocument(id: ImageId): Promise<Uint8Array | undefined>;
  /** Makes the image's layers there for a snapshotter, from kept blobs where it was pulled for another or has lost some; fails `precondition` without those. */
  unpack(id: ImageId, snapshotter: SnapshotterName, signal?: AbortSignal): Promise<void>;
  /** Removes the image with all its tags. Unknown is success. Snapshots in use stay until they are free. */
  remove(reference: string): Promise<void>;
  usage(signal?: AbortSignal): Promise<StoreUsage>;
  /** Frees layers and blobs that nothing needs any more. To be called after a container went; failures are logged. */
  collect(signal?: AbortSignal): Promise<void>;
  /** Pulls under way, for `berth pull` and metrics. */
  pulls(): readonly { readonly reference: string; readonly progress: PullProgress }[];
}
