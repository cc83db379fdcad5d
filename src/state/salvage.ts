import { DatabaseSync, type SQLOutputValue } from 'node:sqlite';

type Row = Readonly<Record<string, SQLOutputValue>>;

/** Copies the readable records of a damaged database; returns how many. */
export function salvage(damaged: string, into: DatabaseSync): number {
  const insert = into.prepare('INSERT OR IGNORE INTO record VALUES (?, ?, ?)');
  let count = 0;
  into.exec('BEGIN');
  // Reading ends at the first bad page, so it is done from both ends.
  for (const order of ['ASC', 'DESC']) {
    for (const { kind, id, value } of readableRows(damaged, order)) {
      if (typeof kind === 'string' && typeof id === 'string' && typeof value === 'string') count += Number(insert.run(kind, id, value).changes);
    }
  }
  into.exec('COMMIT');
  return count;
}

function* readableRows(path: string, order: string): Generator<Row> {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { readOnly: true });
    yield* db.prepare(`SELECT kind, id, value FROM record NOT INDEXED ORDER BY rowid ${order}`).iterate();
  } catch {
    // That it is damaged is known; what came before this was read.
  } finally {
    db?.close();
  }
}
