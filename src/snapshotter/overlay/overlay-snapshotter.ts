import type { Clock } from '../../lib/clock.ts';
import { BerthError } from '../../lib/errors.ts';
import type { SnapshotKey } from '../../lib/ids.ts';
import type { Log } from '../../lib/log.ts';
import type { Agent, FilesystemMount, Usage } from '../../native/port.ts';
import type { SnapshotInfo, Snapshotter } from '../port.ts';
import { mountedDirs } from './mounted-dirs.ts';
import { overlayMounts } from './overlay-mounts.ts';
import type { Removals } from './removals.ts';
import type { SnapshotDirs } from './snapshot-dirs.ts';
import type { Snapshot } from './snapshot-record.ts';
import type { SnapshotTable } from './snapshot-table.ts';
import { UsageCache } from './usage-cache.ts';

export interface OverlayParts {
  readonly table: SnapshotTable;
  readonly dirs: SnapshotDirs;
  readonly removals: Removals;
  readonly agent: Pick<Agent, 'removeTree' | 'diskUsage'>;
  readonly clock: Clock;
  readonly log: Pick<Log, 'warn'>;
}

export interface OverlayOptions {
  /** Options of every overlay mount. */
  readonly common: readonly string[];
  /** Options of those that can be written to. */
  readonly writable: readonly string[];
}

/** Snapshots as overlayfs layers: a directory each, stacked by the kernel when they are mounted. */
export class OverlaySnapshotter implements Snapshotter {
  readonly name = 'overlayfs';
  readonly #parts: OverlayParts;
  readonly #options: OverlayOptions;
  readonly #usage: UsageCache;

  constructor(parts: OverlayParts, options: OverlayOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#usage = new UsageCache(parts.clock);
  }

  async prepare(key: SnapshotKey, parent: SnapshotKey | undefined, signal?: AbortSignal, idShift = 0): Promise<readonly FilesystemMount[]> {
    signal?.throwIfAborted();
    const { table, dirs, clock } = this.#parts;
    table.requireFree(key);
    const dir = dirs.make(parent === undefined ? undefined : this.#committed(parent).dir, idShift);
    const info: SnapshotInfo = { key, kind: 'active', parent, createdAtNs: clock.nowNs(), usage: undefined };
    try {
      table.add({ info, dir });
    } catch (error) {
      this.#parts.removals.start(dir);
      throw error;
    }
    return this.mounts(key);
  }

  layerDirs(key: SnapshotKey): { readonly dir: string; readonly parents: readonly string[] } {
    const { table, dirs } = this.#parts;
    const snapshot = this.#active(key);
    return { dir: dirs.fs(snapshot.dir), parents: table.parents(snapshot).map(({ dir }) => dirs.fs(dir)) };
  }

  async commit(from: SnapshotKey, key: SnapshotKey, usage: Usage): Promise<void> {
    const { table, dirs } = this.#parts;
    table.requireFree(key);
    await dirs.sync(this.#active(from).dir);
    // Both may have changed while the disk was waited for.
    table.requireFree(key);
    const snapshot = this.#active(from);
    table.replace(snapshot, { dir: snapshot.dir, info: { ...snapshot.info, key, kind: 'committed', usage } });
    this.#usage.forget(from);
  }

  mounts(key: SnapshotKey): readonly FilesystemMount[] {
    const { table, dirs } = this.#parts;
    const snapshot = table.require(key);
    const own = dirs.fs(snapshot.dir);
    const parents = table.parents(snapshot).map(({ dir }) => dirs.fs(dir));
    const work = dirs.work(snapshot.dir);
    if (snapshot.info.kind === 'committed') return overlayMounts({ upper: undefined, work, lower: [own, ...parents] }, this.#options.common);
    return overlayMounts({ upper: own, work, lower: parents }, [...this.#options.common, ...this.#options.writable]);
  }

  stat(key: SnapshotKey): SnapshotInfo | undefined {
    return this.#parts.table.get(key)?.info;
  }

  list(): readonly SnapshotInfo[] {
    return this.#parts.table.list().map(({ info }) => info);
  }

  async usage(key: SnapshotKey, signal?: AbortSignal): Promise<Usage> {
    const { table, dirs, agent } = this.#parts;
    const { info, dir } = table.require(key);
    if (info.usage !== undefined) return info.usage;
    const measure = async (): Promise<Usage> => {
      const [usage] = await agent.diskUsage([dirs.fs(dir)]);
      return usage ?? { bytes: 0, inodes: 0 };
    };
    return this.#usage.get(key, measure, signal);
  }

  async remove(key: SnapshotKey): Promise<void> {
    const { table, removals } = this.#parts;
    const snapshot = table.get(key);
    if (snapshot === undefined) return;
    if (table.isParent(key)) throw new BerthError('precondition', `snapshot ${key} has others on top of it`);
    table.drop(snapshot);
    this.#usage.forget(key);
    removals.start(snapshot.dir);
  }

  async cleanup(signal?: AbortSignal): Promise<number> {
    const { table, dirs, removals, agent, log } = this.#parts;
    const orphans = dirs.numbers().filter((dir) => !table.hasDir(dir) && !removals.has(dir));
    if (orphans.length === 0) return 0;
    // Records may have been lost with a damaged database, while containers run on.
    const mounted = mountedDirs(dirs.root);
    const unused = orphans.filter((dir) => !mounted.has(dir));
    for (const dir of unused) await agent.removeTree(dirs.path(dir), signal);
    if (unused.length < orphans.length) log.warn({ directories: orphans.length - unused.length }, 'snapshot directories without a record are mounted and were left alone');
    return unused.length;
  }

  /** Resolves when the files of every removed snapshot are gone, or left for cleanup(). */
  settled(): Promise<void> {
    return this.#parts.removals.settled();
  }

  #active(key: SnapshotKey): Snapshot {
    const snapshot = this.#parts.table.require(key);
    if (snapshot.info.kind !== 'active') throw new BerthError('precondition', `snapshot ${key} is committed already`);
    return snapshot;
  }

  #committed(key: SnapshotKey): Snapshot {
    const snapshot = this.#parts.table.require(key);
    if (snapshot.info.kind !== 'committed') throw new BerthError('precondition', `snapshot ${key} is not committed, so it cannot be a parent`);
    return snapshot;
  }
}
