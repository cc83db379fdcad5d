import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { BerthError } from './errors.ts';

/**
 * Makes a directory that the setting `origin` names, with those above it. Fails `invalid`. One at a time: where the kernel answers
 * ENOENT though the directory above is there, as in /proc, Node's own recursion never ends.
 */
export function makeDirectory(path: string, mode: number, origin: string): void {
  try {
    makeEach(path, mode);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const hint = code === 'EACCES' || code === 'EPERM' ? 'run it as root' : `correct ${origin}`;
    throw new BerthError('invalid', `cannot make ${path} of ${origin}: ${message}`, { cause, hint });
  }
}

function makeEach(path: string, mode: number): void {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    const above = dirname(path);
    if (code !== 'ENOENT' || above === path) throw error;
    makeEach(above, mode);
    mkdirSync(path, { mode });
  }
}
