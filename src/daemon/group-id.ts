import { readFileSync } from 'node:fs';
import { BerthError } from '../lib/errors.ts';

/** The id of a group in /etc/group; -1 for an empty name, which leaves a file's group as it is. */
export function groupId(name: string): number {
  if (name === '') return -1;
  if (/^\d+$/.test(name)) return Number(name);
  const line = readFileSync('/etc/group', 'utf8').split('\n').find((each) => each.startsWith(`${name}:`));
  if (line === undefined) throw new BerthError('invalid', `[cri] group "${name}" is not in /etc/group`);
  return Number(line.split(':')[2]);
}
