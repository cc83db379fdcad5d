/** The first step of every list of migrations: the tables. Never changed, since databases of that release have taken it already. */
export const schema = `CREATE TABLE record (kind TEXT NOT NULL, id TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, id)) STRICT;
   CREATE TABLE quarantine (
     seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL, value TEXT NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL
   ) STRICT;`;
