import { chownSync, existsSync, statSync } from 'node:fs';
import type { SnapshotKey } from '../../lib/ids.ts';
import type { Agent, FilesystemMount, Usage } from '../../agent/port.ts';
import type { Snapshot } from '../store/snapshot-record.ts';
import type { PrepareOptions } from '../port.ts';
import { StoredSnapshotter, type StoredParts } from '../store/stored-snapshotter.ts';

export interface NativeParts extends StoredParts {
  readonly agent: Pick<Agent, 'removeTree' | 'diskUsage' | 'copySnapshotTree' | 'mergeLayer'>;
}

/**
 * Snapshots as whole copies of their parents, for filesystems that overlayfs cannot lie on. They take the time and the
 * space of a copy each, where the filesystem cannot share blocks.
 */
export class NativeSnapshotter extends StoredSnapshotter<NativeParts> {
  readonly name = 'native';

  async prepare(key: SnapshotKey, parent: SnapshotKey | undefined, signal?: AbortSignal, options: PrepareOptions = {}): Promise<readonly FilesystemMount[]> {
    signal?.throwIfAborted();
    // The record comes first: it keeps the parent, and the copy from being cleaned away.
    const snapshot = await this.add(key, parent, options);
    if (parent === undefined) return this.mounts(key);
    try {
      await this.#copy(this.committed(parent), snapshot, options.idShift ?? 0);
      signal?.throwIfAborted();
      return this.mounts(key);
    } catch (error) {
      await this.remove(key);
      throw error;
    }
  }

  /** A layer is unpacked beside the copy, as overlayfs has it, and carried out on the copy by commit(). */
  layerDirs(key: SnapshotKey): { readonly dir: string; readonly parents: readonly string[] } {
    const { dirs } = this.parts;
    const { dir, info } = this.active(key);
    return { dir: dirs.makeLayer(dir), parents: info.parent === undefined ? [] : [dirs.fs(this.committed(info.parent).dir)] };
  }

  commit(from: SnapshotKey, key: SnapshotKey, usage: Usage): Promise<void> {
    return this.commitAfter(from, key, async ({ dir }) => {
      const { dirs, agent } = this.parts;
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
    const { dir, info } = this.parts.table.require(key);
    return [{ type: 'bind', source: this.parts.dirs.fs(dir), options: [info.kind === 'committed' ? 'ro' : 'rw', 'rbind'] }];
  }

  /** Without a signal: the agent cannot stop half way, and the directory must not be removed under its hands. */
  async #copy(parent: Snapshot, { dir }: Snapshot, idShift: number): Promise<void> {
    const { dirs, agent } = this.parts;
    const source: FilesystemMount = { type: 'bind', source: dirs.fs(parent.dir), options: ['ro', 'rbind'] };
    await agent.copySnapshotTree([source], { path: '/', target: dirs.fs(dir) });
    if (idShift === 0) return;
    // The copy has given the root its parent's owner.
    const { uid, gid } = statSync(dirs.fs(dir));
    chownSync(dirs.fs(dir), uid + idShift, gid + idShift);
  }
}
