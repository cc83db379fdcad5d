/** How much a committed write must survive: `process` a crash of berthd, `power` a power cut as well. */
export type Durability = 'process' | 'power';

export type RecordKind = 'pod' | 'container' | 'image' | 'snapshot' | 'pull';

export interface StoredRecord {
  readonly id: string;
  /** Plain JSON; owners parse and check it. */
  readonly value: unknown;
}

/**
 * The metadata store: JSON records by kind and id. Reads happen once, at start; afterwards owners serve from memory and
 * only write. A record that cannot be read is moved to quarantine with a warning and never stops the start.
 */
export interface StateStore {
  load(kind: RecordKind): readonly StoredRecord[];
  put(kind: RecordKind, id: string, value: unknown): void;
  delete(kind: RecordKind, id: string): void;
  /** Moves an unreadable record aside, with the reason. */
  quarantine(kind: RecordKind, id: string, reason: string): void;
  /** Groups writes into one commit. */
  transaction(work: () => void): void;
  /** True when the kernel's boot_id differs from the one of the last run. */
  readonly rebooted: boolean;
  close(): void;
}
