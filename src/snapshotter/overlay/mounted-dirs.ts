import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** The numbers of the snapshot directories below `root` that some process has mounted, in any mount namespace. */
export function mountedDirs(root: string): ReadonlySet<number> {
  // Whole paths differ: a bind mount is listed relative to its filesystem. Too many are better than too few here.
  const tail = join('/', basename(dirname(root)), basename(root)).replaceAll(/[^\w/]/g, String.raw`\$&`);
  const pattern = new RegExp(String.raw`${tail}/(\d+)/`, 'g');
  const found = new Set<number>();
  for (const mounts of mountTables()) for (const match of mounts.matchAll(pattern)) found.add(Number(match[1]));
  return found;
}

/** One mountinfo of each mount namespace. */
function* mountTables(): Generator<string> {
  const seen = new Set<string>();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const namespace = readlinkSync(`/proc/${pid}/ns/mnt`);
      if (seen.has(namespace)) continue;
      const mounts = readFileSync(`/proc/${pid}/mountinfo`, 'utf8');
      seen.add(namespace);
      yield mounts;
    } catch {
      // The process ended while it was looked at, or is a kernel thread.
    }
  }
}
