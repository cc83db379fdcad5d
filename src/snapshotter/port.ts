import type { SnapshotKey } from '../lib/ids.ts';
import type { FilesystemMount, Usage } from '../agent/port.ts';

/**
 * `active`: writable, made by prepare. `committed`: read-only, may be a parent.
 *
 *   prepare ──▶ active ──commit──▶ committed
 *                 └──────remove◀───────┘ (only when it has no children)
 */
export type SnapshotKind = 'active' | 'committed';

export interface SnapshotInfo {
  readonly key: SnapshotKey;
  readonly kind: SnapshotKind;
  readonly parent: SnapshotKey | undefined;
  readonly createdAtNs: bigint;
  /** Known for committed snapshots; an active one is measured by usage(). */
  readonly usage: Usage | undefined;
  /** See PrepareOptions. */
  readonly durable: boolean;
}

/** How snapshots are kept: as overlayfs layers, or as whole copies. */
export type SnapshotterName = 'overlay' | 'native';

export interface PrepareOptions {
  /** Added to the owner of the root directory, so that it is the root of a user namespace whose ids begin there. */
  readonly idShift?: number;
  /** What is written survives a power cut, and the snapshot may be mounted again and again; else as the node is configured. */
  readonly durable?: boolean;
}

/**
 * Filesystem trees made of layers. One suite (`conformance/snapshotter`) proves every implementation.
 *
 * A snapshot is durable once commit() returns: after a power cut it is whole or absent. Unknown keys fail `not-found`,
 * taken keys `already-exists`, removing a parent of a living snapshot fails `precondition`.
 */
export interface Snapshotter {
  readonly name: string;
  prepare(key: SnapshotKey, parent: SnapshotKey | undefined, signal?: AbortSignal, options?: PrepareOptions): Promise<readonly FilesystemMount[]>;
  /** The directory that unpack writes into, and those of the parents, topmost first. Only for active snapshots. */
  layerDirs(key: SnapshotKey): { readonly dir: string; readonly parents: readonly string[] };
  /** Turns the active snapshot `from` into the committed one `key`, or into what `key` should be if that has lost its files. `usage` is what unpack measured. */
  commit(from: SnapshotKey, key: SnapshotKey, usage: Usage): Promise<void>;
  mounts(key: SnapshotKey): readonly FilesystemMount[];
  stat(key: SnapshotKey): SnapshotInfo | undefined;
  /** Whether the snapshot is there and its own files are, as far as a look at its directory shows; those of its parents are not looked at. */
  isWhole(key: SnapshotKey): boolean;
  list(): readonly SnapshotInfo[];
  /** Active snapshots are walked; the answer may be a few seconds old. */
  usage(key: SnapshotKey, signal?: AbortSignal): Promise<Usage>;
  /** Unknown keys are success. The record goes at once, the files in the background. */
  remove(key: SnapshotKey): Promise<void>;
  /** Deletes directories that no record names; run at start and after removals. Returns how many went. */
  cleanup(signal?: AbortSignal): Promise<number>;
}

/**
 * All snapshotters of the node as one. A container's or volume's snapshot is in one of them; an image's layers may be in
 * several under one key, of which the verbs here mean the first, and remove() all.
 */
export interface Snapshotters extends Snapshotter {
  readonly all: readonly Snapshotter[];
  of(name: SnapshotterName): Snapshotter;
}
