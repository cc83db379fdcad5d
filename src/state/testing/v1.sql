-- A database as schema version 1 left it. Never changed: it stands for the disks of nodes that ran that release.
PRAGMA journal_mode = WAL;
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE record (kind TEXT NOT NULL, id TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, id)) STRICT;
CREATE TABLE quarantine (
  seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL, value TEXT NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL
) STRICT;
INSERT INTO meta VALUES ('schema_version', '1'), ('boot_id', '00000000-0000-4000-8000-000000000001');
INSERT INTO record VALUES
  ('pod', 'p1', '{"name":"a"}'),
  ('container', 'c1', '{"pod":"p1"}'),
  ('image', 'sha256:1', '{"tags":["x"]}'),
  ('snapshot', 'sha256:2', '{"dir":7}'),
  ('pull', 'x', '{}');
INSERT INTO quarantine (kind, id, value, reason, at) VALUES ('pod', 'p0', '{', 'it is not JSON', 1700000000);
