import { lstatSync, mkdirSync, realpathSync } from 'node:fs';
import { join, relative } from 'node:path';
import { BerthError } from '../../lib/errors.ts';
import type { Container } from '../model/container.ts';
import type { Pod } from '../model/pod.ts';

/**
 * Makes the directories of a container's log and returns its path without symbolic links. The pod's log directory may be
 * reached by links: the node is its owner's. What is below it may be the work of a container that has it mounted, so
 * links there are refused.
 */
export function prepareLogPlace({ config }: Pod, { logPath }: Container): string {
  mkdirSync(config.logDirectory, { recursive: true, mode: 0o755 });
  const steps = relative(config.logDirectory, logPath).split('/');
  const name = steps.pop() ?? '';
  let place = realpathSync(config.logDirectory);
  for (const step of steps) {
    place = join(place, step);
    makeDirectory(place, logPath);
  }
  return join(place, name);
}

function makeDirectory(path: string, logPath: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) mkdirSync(path, { mode: 0o755 });
  else if (!found.isDirectory()) throw new BerthError('precondition', `the log ${logPath} cannot be written: ${path} is no directory`, { hint: 'remove what is there: no link and no file may be on the way to a log' });
}
