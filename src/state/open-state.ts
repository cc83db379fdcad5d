import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../lib/log.ts';
import { hasRebooted } from './boot.ts';
import type { Migration } from './migrate.ts';
import { openDatabase } from './open-database.ts';
import type { StateStore } from './port.ts';
import { SqliteState } from './sqlite-state.ts';

/**
 * Opens `<root>/meta.db`, made when absent. The caller holds the root's lock (lockRoot). A damaged database is replaced
 * with an error in the log and does not stop the start.
 * @throws BerthError `precondition` when a later release wrote it.
 */
export function openState(root: string, log: Pick<Log, 'warn' | 'error'>, migrations: readonly Migration[]): StateStore {
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const db = openDatabase(join(root, 'meta.db'), log, migrations);
  syncDirectory(root);
  return new SqliteState({ db, log }, { rebooted: hasRebooted(db) });
}

/** The database's own name must survive a power cut as its content does. */
function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
