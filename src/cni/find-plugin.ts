import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { BerthError } from '../lib/errors.ts';

/** The program of a plugin, from the first directory that has it. @throws BerthError `precondition`. */
export function findPlugin(type: string, binDirs: readonly string[]): string {
  const path = binDirs.map((dir) => join(dir, type)).find(isExecutable);
  if (path !== undefined) return path;
  throw new BerthError('precondition', `the CNI plugin "${type}" is not in ${binDirs.join(' or ')}`, { hint: 'install it, or set [cni] bin_dirs to where it is' });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
