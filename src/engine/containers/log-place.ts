import { closeSync, constants, mkdirSync, openSync, realpathSync } from 'node:fs';
import { join, relative } from 'node:path';
import { BerthError } from '../../lib/errors.ts';
import type { Container } from '../model/container.ts';
import type { Pod } from '../model/pod.ts';

/** Where a log goes: its path without symbolic links, and the same through its directory held open. */
export interface LogPlace extends Disposable {
  readonly path: string;
  /** Stays in the directory that was found, whatever takes the place of its path meanwhile. Good until disposed of. */
  readonly held: string;
}

/**
 * Makes the directories of a container's log. The pod's log directory may be reached by links: the node is its owner's.
 * What is below it may be the work of a container that has it mounted, so links there are refused, also those that are
 * put there meanwhile: each step is taken from the directory before it and not from its path.
 */
export function openLogPlace({ config }: Pick<Pod, 'config'>, { logPath }: Pick<Container, 'logPath'>): LogPlace {
  mkdirSync(config.logDirectory, { recursive: true, mode: 0o755 });
  const steps = relative(config.logDirectory, logPath).split('/');
  const name = steps.pop() ?? '';
  let path = realpathSync(config.logDirectory);
  let directory = openSync(path, constants.O_DIRECTORY);
  for (const step of steps) {
    path = join(path, step);
    const outer = directory;
    try {
      directory = enter(through(outer, step), { path, logPath });
    } finally {
      closeSync(outer);
    }
  }
  return { path: join(path, name), held: through(directory, name), [Symbol.dispose]: () => { closeSync(directory); } };
}

/** As {@link openLogPlace}, for who opens the path without following links; see there. */
export function prepareLogPlace(pod: Pick<Pod, 'config'>, container: Pick<Container, 'logPath'>): string {
  using place = openLogPlace(pod, container);
  return place.path;
}

const through = (directory: number, name: string): string => `/proc/self/fd/${directory}/${name}`;

function enter(held: string, { path, logPath }: { readonly path: string; readonly logPath: string }): number {
  try {
    mkdirSync(held, { mode: 0o755 });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
  try {
    return openSync(held, constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    // ENOENT: who removed it meanwhile can put anything there.
    if (!['ENOTDIR', 'ELOOP', 'ENOENT'].includes(codeOf(error))) throw error;
    throw new BerthError('precondition', `the log ${logPath} cannot be written: ${path} is no directory`, { hint: 'remove what is there: no link and no file may be on the way to a log' });
  }
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? '';
