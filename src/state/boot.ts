import { readFileSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { readMeta, writeMeta } from './meta.ts';

const key = 'boot_id';

/** Whether the kernel booted since the database was last opened. Remembers this boot. */
export function noteBoot(db: DatabaseSync): boolean {
  const current = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const last = readMeta(db, key);
  if (last !== current) writeMeta(db, key, current);
  return last !== undefined && last !== current;
}
