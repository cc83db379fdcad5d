import type { DatabaseSync } from 'node:sqlite';
import { BerthError } from '../lib/errors.ts';
import { readMeta, writeMeta } from './meta.ts';

const versionKey = 'schema_version';

/**
 * Brings the database at `path` to the newest schema, all steps or none.
 * @throws BerthError `precondition` when a later release wrote it.
 */
export function migrate(db: DatabaseSync, path: string, steps: readonly string[]): void {
  const version = Number(readMeta(db, versionKey) ?? '0');
  if (version === steps.length) return;
  if (!(version < steps.length)) throw tooNew(path, version, steps.length);
  db.exec('BEGIN IMMEDIATE');
  try {
    for (const step of steps.slice(version)) db.exec(step);
    writeMeta(db, versionKey, String(steps.length));
    db.exec('COMMIT');
  } catch (error) {
    db.exec('ROLLBACK');
    throw error;
  }
}

function tooNew(path: string, version: number, known: number): BerthError {
  return new BerthError('precondition', `${path} has schema version ${version}, this berthd knows up to ${known}`, {
    hint: 'start the release that wrote it, or a later one; berthd has changed nothing',
  });
}
