/**
 * How much a committed write must survive: `process` a crash of berthd, `power` a power cut as well. Pods and containers
 * are `process` by default, since their processes end with the power too; the other kinds are `power`.
 */
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
  /** `durability` overrides what the kind has by default. A power cut undoes the newest commits only, never one in between. */
  put(kind: RecordKind, id: string, value: unknown, durability?: Durability): void;
  delete(kind: RecordKind, id: string, durability?: Durability): void;
  /** Moves an unreadable record aside, with the reason. */
  quarantine(kind: RecordKind, id: string, reason: string): void;
  /** Groups writes into one commit, as durable as the most demanding of them. If `work` throws, none is made. */
  transaction(work: () => void): void;
  /** True when the kernel's boot_id differs from the last one that bootSeen() remembered. */
  readonly rebooted: boolean;
  /** The consequences of a reboot are drawn: the next start, even after a crash, is told of none. */
  bootSeen(): void;
  close(): void;
}
