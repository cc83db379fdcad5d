import { readFileSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { readMeta, writeMeta } from './meta.ts';

const key = 'boot_id';

const currentBoot = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();

/** Whether the kernel booted since the boot that the database remembers. */
export function hasRebooted(db: DatabaseSync): boolean {
  const last = readMeta(db, key);
  return last !== undefined && last !== currentBoot();
}

/** Remembers this boot. */
export function rememberBoot(db: DatabaseSync): void {
  writeMeta(db, key, currentBoot());
}
