import { readFileSync } from 'node:fs';
import { BerthError } from '../lib/errors.ts';

/** The id of a group in /etc/group; -1 for an empty name, which leaves a file's group as it is. `setting` names it in the error, `invalid`. */
export function groupId(name: string, setting = '[cri] group'): number {
  if (name === '') return -1;
  if (/^\d{1,9}$/.test(name)) return Number(name);
  const line = readFileSync('/etc/group', 'utf8').split('\n').find((each) => each.startsWith(`${name}:`));
  if (line === undefined) throw new BerthError('invalid', `${setting} "${name}" is not in /etc/group`, { hint: `make it with "groupadd ${name}", or leave it out for root's` });
  return Number(line.split(':')[2]);
}
