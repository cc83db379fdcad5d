import { chownSync, existsSync, statSync } from 'node:fs';
import type { SnapshotKey } from '../../lib/ids.ts';
import type { Agent, FilesystemMount, Usage } from '../../native/port.ts';
import type { SnapshotInfo, Snapshotter } from '../port.ts';
import type { Snapshot } from '../store/snapshot-record.ts';
import { StoredSnapshots, type StoredParts } from '../store/stored-snapshots.ts';

export interface NativeParts extends StoredParts {
  readonly agent: Pick<Agent, 'removeTree' | 'diskUsage' | 'copySnapshotTree' | 'mergeLayer'>;
}

/**
 * Snapshots as whole copies of their parents, for filesystems that overlayfs cannot lie on. They take the time and the
 * space of a copy each, where the filesystem cannot share blocks.
 */
export class NativeSnapshotter implements Snapshotter {
  readonly name = 'native';
  readonly #parts: NativeParts;
  readonly #stored: StoredSnapshots;

  constructor(parts: NativeParts) {
    this.#parts = parts;
    this.#stored = new StoredSnapshots(parts);
  }

  async prepare(key: SnapshotKey, parent: SnapshotKey | undefined, signal?: AbortSignal, idShift = 0): Promise<readonly FilesystemMount[]> {
    signal?.throwIfAborted();
    // The record comes first: it keeps the parent, and the copy from being cleaned away.
    const snapshot = this.#stored.add(key, parent, idShift);
    if (parent === undefined) return this.mounts(key);
    try {
      await this.#copy(this.#stored.committed(parent), snapshot, idShift);
      signal?.throwIfAborted();
      return this.mounts(key);
    } catch (error) {
      await this.#stored.remove(key);
      throw error;
    }
  }

  /** A layer is unpacked beside the copy, as overlayfs has it, and carried out on the copy by commit(). */
  layerDirs(key: SnapshotKey): { readonly dir: string; readonly parents: readonly string[] } {
    const { dirs } = this.#parts;
    const { dir, info } = this.#stored.active(key);
    return { dir: dirs.makeLayer(dir), parents: info.parent === undefined ? [] : [dirs.fs(this.#stored.committed(info.parent).dir)] };
  }

  commit(from: SnapshotKey, key: SnapshotKey, usage: Usage): Promise<void> {
    return this.#stored.commit(from, key, async ({ dir }) => {
      const { dirs, agent } = this.#parts;
      const isUnpacked = existsSync(dirs.layer(dir));
      // Without a layer this only syncs the copy.
      await agent.mergeLayer(dirs.makeLayer(dir), dirs.fs(dir));
      await agent.removeTree(dirs.layer(dir));
      if (!isUnpacked) return usage;
      // What unpack measured is the layer alone.
      const [whole] = await agent.diskUsage([dirs.fs(dir)]);
      return whole ?? usage;
    });
  }

  mounts(key: SnapshotKey): readonly FilesystemMount[] {
    const { dir, info } = this.#parts.table.require(key);
    return [{ type: 'bind', source: this.#parts.dirs.fs(dir), options: [info.kind === 'committed' ? 'ro' : 'rw', 'rbind'] }];
  }

  stat(key: SnapshotKey): SnapshotInfo | undefined {
    return this.#parts.table.get(key)?.info;
  }

  list(): readonly SnapshotInfo[] {
    return this.#parts.table.list().map(({ info }) => info);
  }

  usage(key: SnapshotKey, signal?: AbortSignal): Promise<Usage> {
    return this.#stored.usage(key, signal);
  }

  remove(key: SnapshotKey): Promise<void> {
    return this.#stored.remove(key);
  }

  cleanup(signal?: AbortSignal): Promise<number> {
    return this.#stored.cleanup(signal);
  }

  /** Resolves when the files of every removed snapshot are gone, or left for cleanup(). */
  settled(): Promise<void> {
    return this.#parts.removals.settled();
  }

  /** Without a signal: the agent cannot stop half way, and the directory must not be removed under its hands. */
  async #copy(parent: Snapshot, { dir }: Snapshot, idShift: number): Promise<void> {
    const { dirs, agent } = this.#parts;
    const source: FilesystemMount = { type: 'bind', source: dirs.fs(parent.dir), options: ['ro', 'rbind'] };
    await agent.copySnapshotTree([source], { path: '/', target: dirs.fs(dir) });
    if (idShift === 0) return;
    // The copy has given the root its parent's owner.
    const { uid, gid } = statSync(dirs.fs(dir));
    chownSync(dirs.fs(dir), uid + idShift, gid + idShift);
  }
}
