import { closeSync, constants, mkdirSync, openSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { BerthError } from '../../lib/errors.ts';
import type { Container } from '../model/container.ts';
import type { Pod } from '../model/pod.ts';
import type { EngineParts } from '../parts.ts';

/** Where a log goes: its path without symbolic links, and the same through its directory held open. */
export interface LogPlace extends Disposable {
  readonly path: string;
  /** Stays in the directory that was found, whatever takes the place of its path meanwhile. Good until disposed of. */
  readonly held: string;
}

type LogParts = Pick<EngineParts, 'hostPaths'>;

/**
 * Makes the directories of a container's log. The pod's log directory may be reached by links: the node is its owner's.
 * What is below it may be the work of a container that has it mounted, so links there are refused, also those that are
 * put there meanwhile: each step is taken from the directory before it and not from its path.
 */
export async function openLogPlace(parts: LogParts, pod: Pick<Pod, 'config'>, { logPath }: Pick<Container, 'logPath'>, signal: AbortSignal): Promise<LogPlace> {
  const { logDirectory } = pod.config;
  // The steps below are taken on the thread that everything runs on, so what they lead to must answer.
  const steps = dirname(logPath) === logDirectory ? [] : [parts.hostPaths.look({ path: dirname(logPath) }, signal)];
  const [found] = await Promise.all([parts.hostPaths.look({ path: logDirectory, makeDirectory: true }, signal), ...steps]);
  if (found.kind !== 'directory') throw new BerthError('precondition', `the log directory ${logDirectory} cannot be used: ${found.problem || 'it is no directory'}`);
  return descend(found.path, relative(logDirectory, logPath), logPath);
}

function descend(logDirectory: string, below: string, logPath: string): LogPlace {
  const steps = below.split('/');
  const name = steps.pop() ?? '';
  let path = logDirectory;
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
export async function prepareLogPlace(parts: LogParts, pod: Pick<Pod, 'config'>, container: Pick<Container, 'logPath'>, signal: AbortSignal): Promise<string> {
  using place = await openLogPlace(parts, pod, container, signal);
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
