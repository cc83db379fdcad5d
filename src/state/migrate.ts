import type { DatabaseSync } from 'node:sqlite';
import { BerthError } from '../lib/errors.ts';
import { asObject, type JsonObject } from '../lib/json-fields.ts';
import { readMeta, writeMeta } from './meta.ts';
import type { RecordKind } from './port.ts';

/** Brings a record to a newer form. One that has that form already, or none at all, comes back as it was. */
type Change = (record: JsonObject) => JsonObject;

/** Changes of records, by kind. */
export type RecordStep = Partial<Readonly<Record<RecordKind, Change>>>;

/** What brings a database from one schema version to the next: SQL, or a change of records. */
export type Migration = string | RecordStep;

const versionKey = 'schema_version';

/**
 * Brings the database at `path` to the newest schema, all steps or none.
 * @throws BerthError `precondition` when a later release wrote it.
 */
export function migrate(db: DatabaseSync, path: string, steps: readonly Migration[]): void {
  const version = Number(readMeta(db, versionKey) ?? '0');
  if (version === steps.length) return;
  if (!(version < steps.length)) throw tooNew(path, version, steps.length);
  db.exec('BEGIN IMMEDIATE');
  try {
    for (const step of steps.slice(version)) take(db, step);
    writeMeta(db, versionKey, String(steps.length));
    db.exec('COMMIT');
  } catch (error) {
    db.exec('ROLLBACK');
    throw error;
  }
}

/** Takes the steps that change records, over what was salvaged from a database of whatever version. */
export function renewRecords(db: DatabaseSync, steps: readonly Migration[]): void {
  for (const step of steps) if (typeof step !== 'string') changeRecords(db, step);
}

function take(db: DatabaseSync, step: Migration): void {
  if (typeof step === 'string') db.exec(step);
  else changeRecords(db, step);
}

function changeRecords(db: DatabaseSync, step: RecordStep): void {
  const write = db.prepare('UPDATE record SET value = ? WHERE kind = ? AND id = ?');
  for (const [kind, change] of Object.entries(step)) {
    for (const { id, value } of db.prepare('SELECT id, value FROM record WHERE kind = ?').all(kind)) {
      const changed = changedText(String(value), change);
      if (changed !== undefined) write.run(changed, kind, String(id));
    }
  }
}

/** undefined for what is no record: whoever loads it sets it aside. */
function changedText(text: string, change: Change): string | undefined {
  try {
    return JSON.stringify(change(asObject(JSON.parse(text), 'a record')));
  } catch {
    return undefined;
  }
}

function tooNew(path: string, version: number, known: number): BerthError {
  return new BerthError('precondition', `${path} has schema version ${version}, this berthd knows up to ${known}`, {
    hint: 'start the release that wrote it, or a later one; berthd has changed nothing',
  });
}
