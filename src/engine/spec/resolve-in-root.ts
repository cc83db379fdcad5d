import { lstat, readlink } from 'node:fs/promises';
import { join } from 'node:path';

/** As the kernel's limit on links in one path. */
const maxLinks = 40;

const partsOf = (path: string): string[] => path.split('/').filter((part) => part !== '' && part !== '.');

/**
 * The directory that `path` names for a process whose root is `root`: links, also absolute ones and `..`, cannot lead out.
 * For trees that nobody writes to, as the answer is not kept true by anything.
 */
export async function resolveInRoot(root: string, path: string): Promise<string> {
  const todo = partsOf(path);
  const done: string[] = [];
  let links = 0;
  for (let part = todo.shift(); part !== undefined; part = todo.shift()) {
    if (part === '..') {
      done.pop();
      continue;
    }
    const here = join(root, ...done, part);
    const stat = await lstat(here);
    if (stat.isDirectory()) {
      done.push(part);
      continue;
    }
    if (!stat.isSymbolicLink()) throw new Error(`${path} is not a directory`);
    links += 1;
    if (links > maxLinks) throw new Error(`${path} has too many links`);
    const target = await readlink(here);
    if (target.startsWith('/')) done.length = 0;
    todo.unshift(...partsOf(target));
  }
  return join(root, ...done);
}
