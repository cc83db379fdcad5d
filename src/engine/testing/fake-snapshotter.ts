import { BerthError } from '../../lib/errors.ts';
import type { SnapshotKey } from '../../lib/ids.ts';
import type { FilesystemMount, Usage } from '../../agent/port.ts';
import type { PrepareOptions, SnapshotInfo, Snapshotters } from '../../snapshotter/port.ts';

/** Snapshots as records, with the contract's refusals. */
export class FakeSnapshotter implements Snapshotters {
  readonly name = 'fake';
  readonly all = [this];
  readonly snapshots = new Map<SnapshotKey, SnapshotInfo>();
  readonly shifts = new Map<SnapshotKey, number>();

  of(): this {
    return this;
  }

  async prepare(key: SnapshotKey, parent: SnapshotKey | undefined, _signal?: AbortSignal, { idShift = 0, durable = false }: PrepareOptions = {}): Promise<readonly FilesystemMount[]> {
    if (this.snapshots.has(key)) throw new BerthError('already-exists', `snapshot ${key} exists`);
    if (parent !== undefined && this.snapshots.get(parent)?.kind !== 'committed') throw new BerthError('not-found', `no snapshot ${parent}`);
    this.snapshots.set(key, { key, kind: 'active', parent, createdAtNs: 1n, usage: undefined, durable });
    this.shifts.set(key, idShift);
    return this.mounts(key);
  }

  layerDirs(key: SnapshotKey): { readonly dir: string; readonly parents: readonly string[] } {
    return { dir: `/snapshots/${key}`, parents: [] };
  }

  async commit(from: SnapshotKey, key: SnapshotKey, usage: Usage): Promise<void> {
    const info = this.#required(from);
    this.snapshots.delete(from);
    this.snapshots.set(key, { ...info, key, kind: 'committed', usage });
  }

  mounts(key: SnapshotKey): readonly FilesystemMount[] {
    this.#required(key);
    return [{ type: 'overlay', source: 'overlay', options: ['rw', `upperdir=/snapshots/${key}`] }];
  }

  stat(key: SnapshotKey): SnapshotInfo | undefined {
    return this.snapshots.get(key);
  }

  isWhole(key: SnapshotKey): boolean {
    return this.snapshots.has(key);
  }

  list(): readonly SnapshotInfo[] {
    return [...this.snapshots.values()];
  }

  async usage(key: SnapshotKey): Promise<Usage> {
    this.#required(key);
    return { bytes: 4096, inodes: 3 };
  }

  async remove(key: SnapshotKey): Promise<void> {
    if (this.list().some(({ parent }) => parent === key)) throw new BerthError('precondition', `snapshot ${key} has children`);
    this.snapshots.delete(key);
  }

  async cleanup(): Promise<number> {
    return 0;
  }

  #required(key: SnapshotKey): SnapshotInfo {
    const info = this.snapshots.get(key);
    if (info === undefined) throw new BerthError('not-found', `no snapshot ${key}`);
    return info;
  }
}
