import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Log } from '../lib/log.ts';
import { rememberBoot } from './boot.ts';
import type { Durability, RecordKind, StateStore, StoredRecord } from './port.ts';
import { asStateError } from './sqlite-error.ts';

const kindDurability: Readonly<Record<RecordKind, Durability>> = {
  pod: 'process',
  container: 'process',
  image: 'power',
  snapshot: 'power',
  pull: 'power',
};

interface Write {
  readonly what: string;
  readonly durability: Durability;
  readonly run: () => void;
}

/** StateStore over one SQLite database, which it owns. */
export class SqliteState implements StateStore {
  readonly rebooted: boolean;
  readonly #db: DatabaseSync;
  readonly #log: Pick<Log, 'warn'>;
  readonly #select: StatementSync;
  readonly #upsert: StatementSync;
  readonly #remove: StatementSync;
  readonly #copyAside: StatementSync;
  /** Writes of the transaction that is being collected. */
  #pending: Write[] | undefined;

  constructor(components: { readonly db: DatabaseSync; readonly log: Pick<Log, 'warn'> }, init: { readonly rebooted: boolean }) {
    this.#db = components.db;
    this.#log = components.log;
    this.rebooted = init.rebooted;
    this.#select = this.#db.prepare('SELECT id, value FROM record WHERE kind = ? ORDER BY id');
    this.#upsert = this.#db.prepare('INSERT INTO record VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value');
    this.#remove = this.#db.prepare('DELETE FROM record WHERE kind = ? AND id = ?');
    this.#copyAside = this.#db.prepare(
      'INSERT INTO quarantine (kind, id, value, reason, at) SELECT kind, id, value, ?, unixepoch() FROM record WHERE kind = ? AND id = ?',
    );
  }

  bootSeen(): void {
    rememberBoot(this.#db);
  }

  load(kind: RecordKind): readonly StoredRecord[] {
    return this.#select.all(kind).flatMap(({ id, value }) => {
      try {
        return [{ id: String(id), value: JSON.parse(String(value)) as unknown }];
      } catch (error) {
        this.quarantine(kind, String(id), `it is not JSON: ${String(error)}`);
        return [];
      }
    });
  }

  put(kind: RecordKind, id: string, value: unknown, durability = kindDurability[kind]): void {
    // Now, so that what the caller changes later is not written by a transaction that ends later.
    const text = JSON.stringify(value);
    this.#write({ what: `writing ${kind} ${id}`, durability, run: () => this.#upsert.run(kind, id, text) });
  }

  delete(kind: RecordKind, id: string, durability = kindDurability[kind]): void {
    this.#write({ what: `deleting ${kind} ${id}`, durability, run: () => this.#remove.run(kind, id) });
  }

  quarantine(kind: RecordKind, id: string, reason: string): void {
    this.#log.warn({ kind, id, reason }, 'a record was put into quarantine');
    this.transaction(() => {
      this.#write({ what: `setting ${kind} ${id} aside`, durability: kindDurability[kind], run: () => this.#copyAside.run(reason, kind, id) });
      this.delete(kind, id);
    });
  }

  transaction(work: () => void): void {
    if (this.#pending !== undefined) {
      work();
      return;
    }
    const writes: Write[] = [];
    this.#pending = writes;
    try {
      work();
    } finally {
      this.#pending = undefined;
    }
    this.#commit(writes);
  }

  close(): void {
    this.#db.close();
  }

  #write(write: Write): void {
    if (this.#pending === undefined) this.#commit([write]);
    else this.#pending.push(write);
  }

  #commit(writes: readonly Write[]): void {
    const [first] = writes;
    if (first === undefined) return;
    // SQLite takes this outside of a transaction only, which is why writes are collected first.
    this.#db.exec(`PRAGMA synchronous = ${writes.some(({ durability }) => durability === 'power') ? 'FULL' : 'NORMAL'}`);
    try {
      if (writes.length === 1) first.run();
      else this.#runTogether(writes);
    } catch (error) {
      throw asStateError(error, first.what);
    }
  }

  #runTogether(writes: readonly Write[]): void {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      for (const { run } of writes) run();
      this.#db.exec('COMMIT');
    } catch (error) {
      // A full disk has rolled it back already.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }
}
