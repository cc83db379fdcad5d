import { BerthError, messageOf } from '../../lib/errors.ts';
import type { SnapshotKey } from '../../lib/ids.ts';
import type { Durability, StateStore } from '../../state/port.ts';
import { fromRecord, toRecord, type Snapshot } from './snapshot-record.ts';

/**
 * What an active snapshot holds may end with the power, so its record need not wait for the disk: this keeps container
 * starts free of it.
 */
const durabilityOf = ({ info }: Snapshot): Durability => (info.kind === 'active' && !info.durable ? 'process' : 'power');

/** All snapshots, in memory for readers, and in the state store. */
export class SnapshotTable {
  readonly #state: StateStore;
  readonly #prefix: string;
  readonly #snapshots = new Map<SnapshotKey, Snapshot>();
  readonly #dirs = new Set<number>();
  /** How many snapshots have this one as parent. */
  readonly #children = new Map<SnapshotKey, number>();

  /** @param prefix of the ids of its records, with a slash at its end; empty for a table that takes those without a slash. */
  constructor(state: StateStore, prefix = '') {
    this.#state = state;
    this.#prefix = prefix;
  }

  /** Reads the store; what is unreadable or has lost its directory or a parent is quarantined. */
  load(dirs: ReadonlySet<number>): void {
    const waiting = new Map(this.#readable().map((snapshot) => [snapshot.info.key, snapshot]));
    for (const key of waiting.keys()) this.#settle(key, waiting, dirs);
  }

  get(key: SnapshotKey): Snapshot | undefined {
    return this.#snapshots.get(key);
  }

  /** @throws BerthError `not-found`. */
  require(key: SnapshotKey): Snapshot {
    const snapshot = this.#snapshots.get(key);
    if (snapshot === undefined) throw new BerthError('not-found', `there is no snapshot ${key}`);
    return snapshot;
  }

  /** @throws BerthError `already-exists` when the key is taken. */
  requireFree(key: SnapshotKey): void {
    if (this.#snapshots.has(key)) throw new BerthError('already-exists', `there is a snapshot ${key} already`);
  }

  list(): readonly Snapshot[] {
    return [...this.#snapshots.values()];
  }

  hasDir(dir: number): boolean {
    return this.#dirs.has(dir);
  }

  isParent(key: SnapshotKey): boolean {
    return this.#children.has(key);
  }

  /** The parents, topmost first. */
  parents({ info }: Snapshot): readonly Snapshot[] {
    if (info.parent === undefined) return [];
    const parent = this.require(info.parent);
    return [parent, ...this.parents(parent)];
  }

  add(snapshot: Snapshot): void {
    this.#state.put('snapshot', this.#id(snapshot.info.key), toRecord(snapshot), durabilityOf(snapshot));
    this.#remember(snapshot);
  }

  /** Puts `next` in the place of `previous`, and of the one that had its key. */
  replace(previous: Snapshot, next: Snapshot): void {
    this.#state.transaction(() => {
      this.#state.delete('snapshot', this.#id(previous.info.key), durabilityOf(previous));
      this.#state.put('snapshot', this.#id(next.info.key), toRecord(next), durabilityOf(next));
    });
    this.#forget(previous);
    const replaced = this.get(next.info.key);
    if (replaced !== undefined) this.#forget(replaced);
    this.#remember(next);
  }

  drop(snapshot: Snapshot): void {
    this.#state.delete('snapshot', this.#id(snapshot.info.key), durabilityOf(snapshot));
    this.#forget(snapshot);
  }

  #id(key: SnapshotKey): string {
    return `${this.#prefix}${key}`;
  }

  #owns(id: string): boolean {
    return this.#prefix === '' ? !id.includes('/') : id.startsWith(this.#prefix);
  }

  #readable(): readonly Snapshot[] {
    return this.#state.load('snapshot').flatMap(({ id, value }) => {
      if (!this.#owns(id)) return [];
      try {
        return [fromRecord(id.slice(this.#prefix.length) as SnapshotKey, value)];
      } catch (error) {
        this.#state.quarantine('snapshot', id, messageOf(error));
        return [];
      }
    });
  }

  /** Takes the snapshot over from `waiting`, its parents first, unless something is wrong with it. */
  #settle(key: SnapshotKey, waiting: Map<SnapshotKey, Snapshot>, dirs: ReadonlySet<number>): void {
    const snapshot = waiting.get(key);
    // Taken out first: parents that go round in a circle end here.
    if (snapshot === undefined || !waiting.delete(key)) return;
    if (snapshot.info.parent !== undefined) this.#settle(snapshot.info.parent, waiting, dirs);
    const defect = this.#defect(snapshot, dirs);
    if (defect === undefined) this.#remember(snapshot);
    // A power cut may have undone the removal of the record, but not that of the files.
    else if (snapshot.info.kind === 'active') this.#state.delete('snapshot', this.#id(key), 'process');
    else this.#state.quarantine('snapshot', this.#id(key), defect);
  }

  #defect({ info, dir }: Snapshot, dirs: ReadonlySet<number>): string | undefined {
    if (!dirs.has(dir)) return `its directory ${dir} is gone`;
    if (this.#dirs.has(dir)) return `its directory ${dir} is that of another snapshot`;
    if (info.parent !== undefined && this.get(info.parent)?.info.kind !== 'committed') return `its parent ${info.parent} is gone`;
    return undefined;
  }

  #remember(snapshot: Snapshot): void {
    const { key, parent } = snapshot.info;
    this.#snapshots.set(key, snapshot);
    this.#dirs.add(snapshot.dir);
    if (parent !== undefined) this.#children.set(parent, (this.#children.get(parent) ?? 0) + 1);
  }

  #forget({ info, dir }: Snapshot): void {
    this.#snapshots.delete(info.key);
    this.#dirs.delete(dir);
    if (info.parent === undefined) return;
    const left = (this.#children.get(info.parent) ?? 1) - 1;
    if (left === 0) this.#children.delete(info.parent);
    else this.#children.set(info.parent, left);
  }
}
