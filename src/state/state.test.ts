import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BerthError } from '../lib/errors.ts';
import { migrate, type Migration } from './migrate.ts';
import { openDatabase } from './open-database.ts';
import { openState } from './open-state.ts';
import type { RecordKind, StateStore } from './port.ts';
import { schema } from './schema.ts';
import { SqliteState } from './sqlite-state.ts';

/** A second step, as a door would add it. */
const migrations: readonly Migration[] = [schema, { pod: (pod) => ({ renewed: true, ...pod }) }];

let root: string;
let lines: { readonly level: string; readonly fields: Readonly<Record<string, unknown>>; readonly message: string }[];
let store: StateStore | undefined;

const log = {
  warn: (fields: Readonly<Record<string, unknown>>, message: string): unknown => lines.push({ level: 'warn', fields, message }),
  error: (fields: Readonly<Record<string, unknown>>, message: string): unknown => lines.push({ level: 'error', fields, message }),
};

function open(): StateStore {
  store?.close();
  store = undefined;
  store = openState(root, log, migrations);
  return store;
}

function failure(work: () => void): BerthError | undefined {
  try {
    work();
  } catch (error) {
    if (error instanceof BerthError) return error;
    throw error;
  }
  return undefined;
}

function withDatabase<Result>(work: (db: DatabaseSync) => Result): Result {
  store?.close();
  store = undefined;
  const db = new DatabaseSync(join(root, 'meta.db'));
  try {
    return work(db);
  } finally {
    db.close();
  }
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'berth-state-'));
  lines = [];
});

afterEach(() => {
  store?.close();
  store = undefined;
  rmSync(root, { recursive: true });
});

test('records survive a reopening, by kind, in order of their ids', () => {
  const first = open();
  first.put('pod', 'b', { name: 'b' });
  first.put('pod', 'a', { name: 'a' });
  first.put('image', 'a', { tags: ['é'] });
  first.put('pod', 'b', { name: 'b2' });
  first.put('pod', 'c', {});
  first.delete('pod', 'c');
  const second = open();
  expect(second.load('pod')).toEqual([{ id: 'a', value: { name: 'a' } }, { id: 'b', value: { name: 'b2' } }]);
  expect(second.load('image')).toEqual([{ id: 'a', value: { tags: ['é'] } }]);
  expect(second.load('container')).toEqual([]);
  expect(lines).toEqual([]);
});

test('a new root is private', () => {
  root = join(root, 'new');
  open().put('pod', 'a', {});
  expect(statSync(root).mode & 0o777).toBe(0o700);
  expect(readdirSync(root).map((name) => [name, statSync(join(root, name)).mode & 0o777])).toEqual([
    ['meta.db', 0o600],
    ['meta.db-shm', 0o600],
    ['meta.db-wal', 0o600],
  ]);
  store?.close();
  store = undefined;
  rmSync(root, { recursive: true });
  root = join(root, '..');
});

test('a transaction is one commit, and nothing when its work throws', () => {
  const state = open();
  state.put('pod', 'a', {});
  state.transaction(() => {
    const value = { n: 1 };
    state.put('pod', 'b', value);
    value.n = 2;
    state.transaction(() => {
      state.delete('pod', 'a');
    });
  });
  expect(() => {
    state.transaction(() => {
      state.put('pod', 'c', {});
      throw new Error('no');
    });
  }).toThrow('no');
  expect(open().load('pod')).toEqual([{ id: 'b', value: { n: 1 } }]);
});

test('a failing statement undoes the whole transaction', () => {
  const state = open();
  const error = failure(() => {
    state.transaction(() => {
      state.put('pod', 'a', {});
      state.put('pod', null as unknown as string, {});
    });
  });
  expect(error?.message).toContain('writing pod a');
  expect(state.load('pod')).toEqual([]);
  state.put('pod', 'b', {});
  expect(state.load('pod')).toHaveLength(1);
});

test('a commit waits for the disk when one of its writes must survive a power cut', () => {
  const db = openDatabase(join(root, 'meta.db'), log, migrations);
  const state = new SqliteState({ db, log }, { rebooted: false });
  store = state;
  const levelAfter = (write: () => void): unknown => {
    write();
    return db.prepare('PRAGMA synchronous').get()?.['synchronous'];
  };
  const [normal, full] = [1, 2];
  expect(levelAfter(() => { state.put('pod', 'a', {}); })).toBe(normal);
  expect(levelAfter(() => { state.put('image', 'a', {}); })).toBe(full);
  expect(levelAfter(() => { state.put('snapshot', 'a', {}, 'process'); })).toBe(normal);
  expect(levelAfter(() => { state.delete('snapshot', 'a'); })).toBe(full);
  expect(levelAfter(() => { state.delete('container', 'a'); })).toBe(normal);
  expect(levelAfter(() => {
    state.transaction(() => {
      state.put('pod', 'a', {});
      state.put('pull', 'a', {});
    });
  })).toBe(full);
});

test('text that is not JSON is put into quarantine and the rest is loaded', () => {
  open().put('pod', 'good', { name: 'x' });
  withDatabase((db) => db.exec("INSERT INTO record VALUES ('pod', 'bad', '{')"));
  expect(open().load('pod')).toEqual([{ id: 'good', value: { name: 'x' } }]);
  expect(lines).toMatchObject([{ level: 'warn', fields: { kind: 'pod', id: 'bad' } }]);
  expect(open().load('pod')).toHaveLength(1);
  expect(withDatabase((db) => db.prepare('SELECT kind, id, value, reason FROM quarantine').all())).toMatchObject([{ kind: 'pod', id: 'bad', value: '{' }]);
});

test('an owner can put a record into quarantine', () => {
  const state = open();
  state.put('container', 'c', { pod: 1 });
  state.quarantine('container', 'c', 'pod is no string');
  expect(state.load('container')).toEqual([]);
  expect(withDatabase((db) => db.prepare('SELECT value, reason FROM quarantine').all())).toMatchObject([{ value: '{"pod":1}', reason: 'pod is no string' }]);
});

test('a boot in between is noticed once', () => {
  const first = open();
  expect(first.rebooted).toBe(false);
  first.bootSeen();
  expect(open().rebooted).toBe(false);
  withDatabase((db) => db.exec("UPDATE meta SET value = 'other' WHERE key = 'boot_id'"));
  expect(open().rebooted).toBe(true);
  // Whoever crashed before it drew the consequences is told again.
  const again = open();
  expect(again.rebooted).toBe(true);
  again.bootSeen();
  expect(open().rebooted).toBe(false);
});

test('a database of schema version 1 opens with its records, renewed where a step says so', () => {
  withDatabase((db) => db.exec(readFileSync(join(import.meta.dirname, 'testing/v1.sql'), 'utf8')));
  const state = open();
  const kinds: readonly RecordKind[] = ['pod', 'container', 'image', 'snapshot', 'pull'];
  expect(kinds.map((kind) => state.load(kind).length)).toEqual([1, 1, 1, 1, 1]);
  expect(state.load('pod')).toEqual([{ id: 'p1', value: { renewed: true, name: 'a' } }]);
  expect(state.load('container')).toEqual([{ id: 'c1', value: { pod: 'p1' } }]);
  expect(state.rebooted).toBe(true);
  expect(withDatabase((db) => db.prepare("SELECT value FROM meta WHERE key = 'schema_version'").get())).toEqual({ value: String(migrations.length) });
  expect(lines).toEqual([]);
});

test('a record that is none is left as it is, for its owner to set aside', () => {
  withDatabase((db) => {
    db.exec(readFileSync(join(import.meta.dirname, 'testing/v1.sql'), 'utf8'));
    db.exec("INSERT INTO record VALUES ('pod', 'list', '[]')");
  });
  expect(open().load('pod')).toContainEqual({ id: 'list', value: [] });
});

test('migrations go all together or not at all', () => {
  open().put('pod', 'a', {});
  withDatabase((db) => {
    const steps = [...migrations, 'ALTER TABLE record ADD COLUMN extra TEXT', 'this is no SQL'];
    expect(() => {
      migrate(db, 'meta.db', steps);
    }).toThrow('syntax error');
    migrate(db, 'meta.db', [...migrations, 'ALTER TABLE record ADD COLUMN more TEXT']);
    expect(Object.keys(db.prepare('SELECT * FROM record').get() ?? {})).toEqual(['kind', 'id', 'value', 'more']);
  });
});

test('a database of a later release is refused and left alone', () => {
  open();
  withDatabase((db) => db.exec("UPDATE meta SET value = '99' WHERE key = 'schema_version'"));
  const error = failure(open);
  expect(error?.kind).toBe('precondition');
  expect(error?.message).toContain('schema version 99');
  expect(readdirSync(root)).toEqual(['meta.db']);
});

test('a file that is no database is set aside, loudly, and the store starts empty', () => {
  writeFileSync(join(root, 'meta.db'), 'not a database, but long enough to be taken for one'.repeat(100));
  const state = open();
  state.put('pod', 'a', {});
  expect(state.load('pod')).toHaveLength(1);
  expect(lines).toMatchObject([{ level: 'error', fields: { records: 0 } }]);
  expect(readdirSync(root).filter((name) => /^meta\.db\.corrupt-\d{8}T\d{6}Z$/.test(name))).toHaveLength(1);
});

test('what can be read of a damaged database is kept', () => {
  const state = open();
  state.transaction(() => {
    for (let index = 100; index < 400; index += 1) state.put('pod', `p${index}`, { text: 'x'.repeat(2000) });
  });
  withDatabase((db) => db.exec('PRAGMA wal_checkpoint(TRUNCATE)'));
  const path = join(root, 'meta.db');
  const bytes = readFileSync(path);
  bytes.fill(0xff, bytes.length / 2, bytes.length / 2 + 8192);
  writeFileSync(path, bytes);
  const kept = open().load('pod').length;
  expect(kept).toBeGreaterThan(250);
  expect(kept).toBeLessThan(300);
  expect(lines).toMatchObject([{ level: 'error', fields: { records: kept } }]);
});

test('a database that lost its end is replaced', () => {
  const state = open();
  for (let index = 100; index < 400; index += 1) state.put('pod', `p${index}`, { text: 'x'.repeat(200) });
  withDatabase((db) => db.exec('PRAGMA wal_checkpoint(TRUNCATE)'));
  truncateSync(join(root, 'meta.db'), 8192 + 100);
  open().put('pod', 'new', {});
  expect(lines.map(({ level }) => level)).toEqual(['error']);
});
