/** The part of the logger that the snapshotter uses. */
export interface SnapshotLog {
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
}
