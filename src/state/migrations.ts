/**
 * What brings a database from schema version n to n+1, at index n. A released step is never changed: a database that was
 * written by that release has taken it already.
 */
export const migrations: readonly string[] = [
  `CREATE TABLE record (kind TEXT NOT NULL, id TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, id)) STRICT;
   CREATE TABLE quarantine (
     seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL, value TEXT NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL
   ) STRICT;`,
];
