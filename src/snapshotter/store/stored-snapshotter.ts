import { existsSync } from 'node:fs';
import type { Clock } from '../../lib/clock.ts';
import { BerthError } from '../../lib/errors.ts';
import type { SnapshotKey } from '../../lib/ids.ts';
import type { Log } from '../../lib/log.ts';
import type { Agent, FilesystemMount, Usage } from '../../agent/port.ts';
import type { PrepareOptions, SnapshotInfo, Snapshotter, SnapshotterName } from '../port.ts';
import { mountedDirs } from './mounted-dirs.ts';
import type { Removals } from './removals.ts';
import type { SnapshotDirs } from './snapshot-dirs.ts';
import type { Snapshot } from './snapshot-record.ts';
import type { SnapshotTable } from './snapshot-table.ts';
import { UsageCache } from './usage-cache.ts';

export interface StoredParts {
  readonly table: SnapshotTable;
  readonly dirs: SnapshotDirs;
  readonly removals: Removals;
  readonly agent: Pick<Agent, 'removeTree' | 'diskUsage'>;
  readonly clock: Clock;
  readonly log: Pick<Log, 'warn'>;
}

/** What every snapshotter does alike that keeps a directory and a record for each snapshot. */
export abstract class StoredSnapshotter<Parts extends StoredParts = StoredParts> implements Snapshotter {
  abstract readonly name: SnapshotterName;
  protected readonly parts: Parts;
  readonly #usage: UsageCache;

  constructor(parts: Parts) {
    this.parts = parts;
    this.#usage = new UsageCache(parts.clock);
  }

  abstract prepare(key: SnapshotKey, parent: SnapshotKey | undefined, signal?: AbortSignal, options?: PrepareOptions): Promise<readonly FilesystemMount[]>;
  abstract layerDirs(key: SnapshotKey): { readonly dir: string; readonly parents: readonly string[] };
  abstract commit(from: SnapshotKey, key: SnapshotKey, usage: Usage): Promise<void>;
  abstract mounts(key: SnapshotKey): readonly FilesystemMount[];

  stat(key: SnapshotKey): SnapshotInfo | undefined {
    return this.parts.table.get(key)?.info;
  }

  isWhole(key: SnapshotKey): boolean {
    const { table, dirs } = this.parts;
    const snapshot = table.get(key);
    if (snapshot === undefined) return false;
    // The root is an inode, too; a layer of nothing else is whole without a file.
    const hasFiles = (snapshot.info.usage?.inodes ?? 0) > 1;
    return hasFiles ? !dirs.isEmpty(snapshot.dir) : existsSync(dirs.fs(snapshot.dir));
  }

  list(): readonly SnapshotInfo[] {
    return this.parts.table.list().map(({ info }) => info);
  }

  async usage(key: SnapshotKey, signal?: AbortSignal): Promise<Usage> {
    const { table, dirs, agent } = this.parts;
    const { info, dir } = table.require(key);
    if (info.usage !== undefined) return info.usage;
    const measure = async (): Promise<Usage> => {
      const [usage] = await agent.diskUsage([dirs.fs(dir)]);
      return usage ?? { bytes: 0, inodes: 0 };
    };
    return this.#usage.get(key, measure, signal);
  }

  async remove(key: SnapshotKey): Promise<void> {
    const { table, removals } = this.parts;
    const snapshot = table.get(key);
    if (snapshot === undefined) return;
    if (table.isParent(key)) throw new BerthError('precondition', `snapshot ${key} has others on top of it`);
    table.drop(snapshot);
    this.#usage.forget(key);
    removals.start(snapshot.dir);
  }

  async cleanup(signal?: AbortSignal): Promise<number> {
    const { table, dirs, removals, agent, log } = this.parts;
    const orphans = dirs.numbers().filter((dir) => !table.hasDir(dir) && !removals.has(dir));
    if (orphans.length === 0) return 0;
    // Records may have been lost with a damaged database, while containers run on.
    const mounted = mountedDirs(dirs.root, orphans);
    const unused = orphans.filter((dir) => !mounted.has(dir));
    for (const dir of unused) await agent.removeTree(dirs.path(dir), signal);
    if (unused.length < orphans.length) log.warn({ directories: orphans.length - unused.length }, 'snapshot directories without a record are mounted and were left alone');
    return unused.length;
  }

  /** Resolves when the files of every removed snapshot are gone, or left for cleanup(). */
  settled(): Promise<void> {
    return this.parts.removals.settled();
  }

  /** Makes a directory that looks like its parent's, and the record of it. */
  protected async add(key: SnapshotKey, parent: SnapshotKey | undefined, { idShift = 0, durable = false }: PrepareOptions): Promise<Snapshot> {
    const { table, dirs, clock, removals } = this.parts;
    table.requireFree(key);
    const dir = dirs.make(parent === undefined ? undefined : this.committed(parent).dir, idShift);
    const info: SnapshotInfo = { key, kind: 'active', parent, createdAtNs: clock.nowNs(), usage: undefined, durable };
    try {
      if (durable) await dirs.sync(dir);
      // Another may have taken the key while the disk was waited for.
      table.requireFree(key);
      table.add({ info, dir });
    } catch (error) {
      removals.start(dir);
      throw error;
    }
    return { info, dir };
  }

  /** Makes the active snapshot a committed one once `finish` has readied its directory. */
  protected async commitAfter(from: SnapshotKey, key: SnapshotKey, finish: (snapshot: Snapshot) => Promise<Usage>): Promise<void> {
    const { table, dirs } = this.parts;
    this.#requireRoom(key);
    const usage = await finish(this.active(from));
    await dirs.sync(this.active(from).dir);
    // Both may have changed while the disk was waited for.
    this.#requireRoom(key);
    const snapshot = this.active(from);
    // The directory of one that had lost its files may still be mounted somewhere; cleanup() looks.
    table.replace(snapshot, { dir: snapshot.dir, info: { ...snapshot.info, key, kind: 'committed', usage } });
    this.#usage.forget(from);
  }

  /** @throws BerthError `already-exists` unless the key is free, or that of a snapshot that has lost its files. */
  #requireRoom(key: SnapshotKey): void {
    if (this.stat(key)?.kind !== 'committed' || this.isWhole(key)) this.parts.table.requireFree(key);
  }

  /** @throws BerthError `not-found`, or `precondition` for a committed one. */
  protected active(key: SnapshotKey): Snapshot {
    const snapshot = this.parts.table.require(key);
    if (snapshot.info.kind !== 'active') throw new BerthError('precondition', `snapshot ${key} is committed already`);
    return snapshot;
  }

  /** @throws BerthError `not-found`, or `precondition` for an active one. */
  protected committed(key: SnapshotKey): Snapshot {
    const snapshot = this.parts.table.require(key);
    if (snapshot.info.kind !== 'committed') throw new BerthError('precondition', `snapshot ${key} is not committed, so it cannot be a parent`);
    return snapshot;
  }
}
