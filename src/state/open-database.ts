import { closeSync, existsSync, openSync, renameSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { BerthError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { createMeta } from './meta.ts';
import { migrate, renewRecords, type Migration } from './migrate.ts';
import { salvage } from './salvage.ts';
import { asStateError, isCorruption } from './sqlite-error.ts';

/** A checkpoint happens inside a commit, so its size bounds how long a write may take: 1 MiB, about a millisecond. */
const checkpointPages = 256;

class Damaged extends Error {}

/**
 * Opens the database, which is made with mode 0600 when absent, in its newest schema. A damaged one is set aside as
 * `<path>.corrupt-<time>` and what can be read of it goes into a new one.
 */
export function openDatabase(path: string, log: Pick<Log, 'warn' | 'error'>, migrations: readonly Migration[]): DatabaseSync {
  try {
    return openSound(path, migrations);
  } catch (error) {
    if (!isDamage(error)) throw asStateError(error, `opening ${path}`);
    const fresh = replaceDamaged(path, error, log, migrations);
    renewRecords(fresh, migrations);
    return fresh;
  }
}

function isDamage(error: unknown): error is Error {
  return error instanceof Damaged || isCorruption(error);
}

function openSound(path: string, migrations: readonly Migration[]): DatabaseSync {
  // SQLite gives the files beside it the same mode.
  closeSync(openSync(path, 'a', 0o600));
  const db = new DatabaseSync(path);
  try {
    const mode = db.prepare('PRAGMA journal_mode = WAL').get()?.['journal_mode'];
    if (mode !== 'wal') throw new BerthError('precondition', `${path}: its filesystem cannot hold a write-ahead log`, { hint: 'put the state root on a local disk' });
    db.exec(`PRAGMA wal_autocheckpoint = ${checkpointPages}`);
    const finding = db.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
    if (finding !== 'ok') throw new Damaged(String(finding));
    createMeta(db);
    migrate(db, path, migrations);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function replaceDamaged(path: string, error: Error, log: Pick<Log, 'warn' | 'error'>, migrations: readonly Migration[]): DatabaseSync {
  const aside = `${path}.corrupt-${new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '')}`;
  for (const part of ['', '-wal', '-shm']) if (existsSync(path + part)) renameSync(path + part, aside + part);
  const db = openSound(path, migrations);
  const records = salvage(aside, db);
  log.error({ path, aside, records, reason: error.message }, 'the state database is damaged; it was set aside and a new one made from the records that could be read');
  return db;
}
