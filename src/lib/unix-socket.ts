import { chmod, chown, rename, rm } from 'node:fs/promises';
import type { Server } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { BerthError, messageOf } from './errors.ts';
import { listen } from './listen.ts';

export interface SocketPlace {
  readonly path: string;
  readonly mode: number;
  /** Group id of the socket; -1: as the process has it. */
  readonly gid: number;
}

/** Hidden, in the same directory, and no longer than the name itself: the kernel takes paths of 107 bytes at most. */
function hiddenName(path: string): string {
  const name = basename(path);
  return join(dirname(path), `.${name.length > 2 ? name.slice(0, -1) : name}`);
}

/**
 * Makes a unix socket with `bind`, which listens at the path that it is given. The socket appears under its name only with its
 * final mode and group, and replaces a stale one. Fails `internal`.
 */
export async function placeSocket({ path, mode, gid }: SocketPlace, bind: (path: string) => Promise<void>): Promise<void> {
  const early = hiddenName(path);
  try {
    await rm(early, { force: true });
    await bind(early);
    await chmod(early, mode);
    if (gid >= 0) await chown(early, 0, gid);
    await rename(early, path);
  } catch (cause) {
    throw new BerthError('internal', `cannot listen on ${path}: ${messageOf(cause)}`, { cause });
  }
}

/** Has a server listen on a unix socket that root alone may open. See `placeSocket`. */
export async function listenForRoot(server: Server, path: string): Promise<void> {
  await placeSocket({ path, mode: 0o600, gid: -1 }, async (early) => listen(server, { path: early }));
}
