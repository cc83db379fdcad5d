import { BerthError } from '../../lib/errors.ts';
import type { RecordKind, StateStore, StoredRecord } from '../../state/port.ts';

/** A state store as JSON in memory. What is put in comes out as it would from disk. */
export class MemoryState implements StateStore {
  readonly #records = new Map<string, string>();
  readonly quarantined: string[] = [];
  rebooted = false;
  /** Writes that succeed before the disk is full; undefined: it never is. */
  writesLeft: number | undefined;

  bootSeen(): void {
    this.rebooted = false;
  }

  load(kind: RecordKind): readonly StoredRecord[] {
    return [...this.#records]
      .filter(([key]) => key.startsWith(`${kind}/`))
      .map(([key, json]) => ({ id: key.slice(kind.length + 1), value: JSON.parse(json) as unknown }));
  }

  put(kind: RecordKind, id: string, value: unknown): void {
    if (this.writesLeft === 0) throw new BerthError('exhausted', 'the disk is full');
    if (this.writesLeft !== undefined) this.writesLeft -= 1;
    this.#records.set(`${kind}/${id}`, JSON.stringify(value));
  }

  delete(kind: RecordKind, id: string): void {
    this.#records.delete(`${kind}/${id}`);
  }

  quarantine(kind: RecordKind, id: string, reason: string): void {
    this.delete(kind, id);
    this.quarantined.push(`${kind}/${id}: ${reason}`);
  }

  transaction(work: () => void): void {
    work();
  }

  close(): void {
    this.#records.clear();
  }

  keys(): readonly string[] {
    return [...this.#records.keys()];
  }
}
