import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { asBerthError, BerthError } from '../../lib/errors.ts';

/**
 * `<root>/<number>/fs` holds a snapshot's files and `work` is overlayfs's scratch beside it. Numbers keep the list of
 * lower directories short, which the kernel limits to a page where it is passed as text. Calls are synchronous where a
 * trip to the thread pool would cost more than they do.
 */
export class SnapshotDirs {
  readonly root: string;
  #next: number;

  /** Makes `root`. */
  constructor(root: string) {
    this.root = root;
    mkdirSync(root, { recursive: true, mode: 0o700 });
    this.#next = Math.max(0, ...this.numbers()) + 1;
  }

  path(dir: number): string {
    return join(this.root, String(dir));
  }

  fs(dir: number): string {
    return join(this.root, String(dir), 'fs');
  }

  work(dir: number): string {
    return join(this.root, String(dir), 'work');
  }

  /** Whether nothing is in `fs`, or no such directory is there. */
  isEmpty(dir: number): boolean {
    try {
      return readdirSync(this.fs(dir)).length === 0;
    } catch {
      return true;
    }
  }

  /** Where a layer is unpacked that is not to be seen yet. */
  layer(dir: number): string {
    return join(this.root, String(dir), 'layer');
  }

  /** Makes that directory, looking like `fs`, unless it is there. */
  makeLayer(dir: number): string {
    const path = this.layer(dir);
    if (!existsSync(path)) this.#makeRoot(path, this.fs(dir), 0);
    return path;
  }

  numbers(): readonly number[] {
    if (!existsSync(this.root)) return [];
    return readdirSync(this.root).filter((name) => /^\d+$/.test(name)).map(Number);
  }

  /** Makes an empty directory; its root looks like that of the parent, since overlayfs shows the topmost one's, but for the shift of its owner. */
  make(parent: number | undefined, idShift: number): number {
    const dir = this.#next;
    this.#next += 1;
    try {
      // A person who makes room on a disk may have deleted `root` as well.
      mkdirSync(this.path(dir), { recursive: true, mode: 0o700 });
      mkdirSync(this.work(dir), { mode: 0o711 });
      this.#makeRoot(this.fs(dir), parent === undefined ? undefined : this.fs(parent), idShift);
    } catch (error) {
      rmSync(this.path(dir), { recursive: true, force: true });
      throw asDiskError(error, `making the snapshot directory ${this.path(dir)}`);
    }
    return dir;
  }

  /** Makes the directory's name survive a power cut; its content is the caller's to sync. */
  async sync(dir: number): Promise<void> {
    for (const path of [this.fs(dir), this.path(dir), this.root]) {
      const handle = await open(path, 'r');
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    }
  }

  #makeRoot(path: string, like: string | undefined, idShift: number): void {
    mkdirSync(path);
    const { mode, uid, gid } = like === undefined ? { mode: 0o755, uid: 0, gid: 0 } : statSync(like);
    chownSync(path, uid + idShift, gid + idShift);
    // After the owner, whose change takes set-id bits away; and apart from mkdir, which heeds the umask.
    chmodSync(path, mode & 0o7777);
  }
}

function asDiskError(error: unknown, doing: string): BerthError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return asBerthError(error, doing);
  return new BerthError('exhausted', `${doing}: the disk is full`, { hint: 'free space or inodes below the state root', cause: error });
}
