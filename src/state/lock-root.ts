import { closeSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { BerthError, messageOf } from '../lib/errors.ts';
import { asStateError, isBusy } from './sqlite-error.ts';

export interface RootLock {
  release(): void;
}

/**
 * Makes this process the only owner of a state root until it releases the lock or dies, in whatever namespaces it runs.
 * Node has no flock; the lock is the one that SQLite holds on the empty database `<root>/lock` during a transaction. The
 * kernel drops it when this process closes any descriptor of that file, so nothing else here may open it.
 * @throws BerthError `precondition` when another process owns the root.
 */
export function lockRoot(root: string): RootLock {
  const path = join(root, 'lock');
  const db = openLock(root, path);
  try {
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    throw isBusy(error) ? owned(root, path) : asStateError(error, `locking ${path}`);
  }
  const release = (): void => {
    process.off('exit', release);
    db.close();
  };
  // Also keeps the database from being collected, and with it the lock, while the caller has forgotten about it.
  process.on('exit', release);
  return { release };
}

function openLock(root: string, path: string): DatabaseSync {
  try {
    mkdirSync(root, { recursive: true, mode: 0o700 });
    if (statSync(path, { throwIfNoEntry: false }) === undefined) closeSync(openSync(path, 'a', 0o600));
    return new DatabaseSync(path, { timeout: 0 });
  } catch (cause) {
    throw new BerthError('precondition', `cannot make ${path}: ${messageOf(cause)}`, { hint: 'berthd runs as root, on a file system that it may write to', cause });
  }
}

function owned(root: string, path: string): BerthError {
  const pid = lockHolder(path);
  // Two names of one directory, one of them a link.
  if (pid === process.pid) return new BerthError('invalid', `this berthd (pid ${pid}) owns ${root} already: state_root and run_root are one directory`, { hint: 'one must survive a reboot and the other must not' });
  return new BerthError('precondition', `another berthd (${pid === undefined ? 'its process cannot be seen from here' : `pid ${pid}`}) owns ${root}`, {
    hint: 'stop it first, or give this one a state root of its own',
  });
}

/** The process that the kernel lists for a lock on the file. */
function lockHolder(path: string): number | undefined {
  const suffix = `:${statSync(path).ino}`;
  const locks = readFileSync('/proc/locks', 'utf8').split('\n').map((line) => line.split(/\s+/));
  const held = locks.find((fields) => fields[1] === 'POSIX' && fields[5]?.endsWith(suffix) === true);
  const pid = Number(held?.[4]);
  return pid > 0 ? pid : undefined;
}
