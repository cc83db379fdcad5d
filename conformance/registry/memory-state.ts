import type { RecordKind, StateStore, StoredRecord } from '../../src/state/port.ts';

/** A metadata store that outlives the image service of a test but not the test. */
export class MemoryState implements StateStore {
  readonly rebooted = false;
  readonly quarantined: { readonly id: string; readonly reason: string }[] = [];
  readonly #records = new Map<string, StoredRecord>();

  load(kind: RecordKind): readonly StoredRecord[] {
    return [...this.#records].filter(([key]) => key.startsWith(`${kind}/`)).map(([, record]) => record);
  }

  put(kind: RecordKind, id: string, value: unknown): void {
    this.#records.set(`${kind}/${id}`, { id, value: JSON.parse(JSON.stringify(value)) });
  }

  delete(kind: RecordKind, id: string): void {
    this.#records.delete(`${kind}/${id}`);
  }

  quarantine(kind: RecordKind, id: string, reason: string): void {
    this.delete(kind, id);
    this.quarantined.push({ id, reason });
  }

  transaction(work: () => void): void {
    work();
  }

  close(): void {
    this.#records.clear();
  }
}
