import type { SnapshotKey } from '../../lib/ids.ts';
import type { FilesystemMount, Usage } from '../../agent/port.ts';
import type { PrepareOptions } from '../port.ts';
import { StoredSnapshotter, type StoredParts } from '../store/stored-snapshotter.ts';
import { overlayMounts } from './overlay-mounts.ts';

export interface OverlayOptions {
  /** Options of every overlay mount. */
  readonly common: readonly string[];
  /** Options of those that can be written to. */
  readonly writable: readonly string[];
}

/** Snapshots as overlayfs layers: a directory each, stacked by the kernel when they are mounted. */
export class OverlaySnapshotter extends StoredSnapshotter {
  readonly name = 'overlay';
  readonly #options: OverlayOptions;

  constructor(parts: StoredParts, options: OverlayOptions) {
    super(parts);
    this.#options = options;
  }

  async prepare(key: SnapshotKey, parent: SnapshotKey | undefined, signal?: AbortSignal, options: PrepareOptions = {}): Promise<readonly FilesystemMount[]> {
    signal?.throwIfAborted();
    await this.add(key, parent, options);
    return this.mounts(key);
  }

  layerDirs(key: SnapshotKey): { readonly dir: string; readonly parents: readonly string[] } {
    const { table, dirs } = this.parts;
    const snapshot = this.active(key);
    return { dir: dirs.fs(snapshot.dir), parents: table.parents(snapshot).map(({ dir }) => dirs.fs(dir)) };
  }

  commit(from: SnapshotKey, key: SnapshotKey, usage: Usage): Promise<void> {
    return this.commitAfter(from, key, async () => usage);
  }

  mounts(key: SnapshotKey): readonly FilesystemMount[] {
    const { table, dirs } = this.parts;
    const snapshot = table.require(key);
    const own = dirs.fs(snapshot.dir);
    const parents = table.parents(snapshot).map(({ dir }) => dirs.fs(dir));
    const work = dirs.work(snapshot.dir);
    if (snapshot.info.kind === 'committed') return overlayMounts({ upper: undefined, work, lower: [own, ...parents] }, this.#options.common);
    const writable = snapshot.info.durable ? [] : this.#options.writable;
    return overlayMounts({ upper: own, work, lower: parents }, [...this.#options.common, ...writable]);
  }
}
