import { randomBytes } from 'node:crypto';

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** 64 lower-case hex characters, as every CRI runtime uses. */
export type PodId = Branded<'PodId'>;
export type ContainerId = Branded<'ContainerId'>;
/** `sha256:…` of an image's config blob. */
export type ImageId = Branded<'ImageId'>;
/** `sha256:<64 hex>`. */
export type Digest = Branded<'Digest'>;
/** Key of a snapshot: a chainID for a layer, a container id for a writable one. */
export type SnapshotKey = Branded<'SnapshotKey'>;

export function newPodId(): PodId {
  return randomBytes(32).toString('hex') as PodId;
}

export function newContainerId(): ContainerId {
  return randomBytes(32).toString('hex') as ContainerId;
}
