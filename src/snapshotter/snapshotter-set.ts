import { BerthError } from '../lib/errors.ts';
import type { SnapshotKey } from '../lib/ids.ts';
import type { FilesystemMount, Usage } from '../agent/port.ts';
import type { PrepareOptions, SnapshotInfo, Snapshotter, SnapshotterName, Snapshotters } from './port.ts';

interface Settling extends Snapshotter {
  settled(): Promise<void>;
}

/** Several snapshotters as one, found by their snapshots; new ones are made by the first unless another is asked by name. */
export class SnapshotterSet implements Snapshotters {
  readonly name = 'all';
  readonly all: readonly [Settling, ...Settling[]];

  constructor(all: readonly [Settling, ...Settling[]]) {
    this.all = all;
  }

  of(name: SnapshotterName): Snapshotter {
    const found = this.all.find((each) => each.name === name);
    if (found === undefined) throw new BerthError('internal', `there is no snapshotter ${name}`);
    return found;
  }

  prepare(key: SnapshotKey, parent: SnapshotKey | undefined, signal?: AbortSignal, options?: PrepareOptions): Promise<readonly FilesystemMount[]> {
    return this.all[0].prepare(key, parent, signal, options);
  }

  layerDirs(key: SnapshotKey): { readonly dir: string; readonly parents: readonly string[] } {
    return this.#with(key).layerDirs(key);
  }

  commit(from: SnapshotKey, key: SnapshotKey, usage: Usage): Promise<void> {
    return this.#with(from).commit(from, key, usage);
  }

  mounts(key: SnapshotKey): readonly FilesystemMount[] {
    return this.#with(key).mounts(key);
  }

  stat(key: SnapshotKey): SnapshotInfo | undefined {
    return this.#with(key).stat(key);
  }

  isWhole(key: SnapshotKey): boolean {
    return this.all.some((each) => each.isWhole(key));
  }

  list(): readonly SnapshotInfo[] {
    return this.all.flatMap((each) => each.list());
  }

  usage(key: SnapshotKey, signal?: AbortSignal): Promise<Usage> {
    return this.#with(key).usage(key, signal);
  }

  async remove(key: SnapshotKey): Promise<void> {
    for (const each of this.all) await each.remove(key);
  }

  async cleanup(signal?: AbortSignal): Promise<number> {
    let removed = 0;
    for (const each of this.all) removed += await each.cleanup(signal);
    return removed;
  }

  /** Resolves when the files of every removed snapshot are gone, or left for cleanup(). */
  async settled(): Promise<void> {
    await Promise.all(this.all.map((each) => each.settled()));
  }

  /** The one that has the snapshot; where none has, the first says so. */
  #with(key: SnapshotKey): Snapshotter {
    return this.all.find((each) => each.stat(key) !== undefined) ?? this.all[0];
  }
}
