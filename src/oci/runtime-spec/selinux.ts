import { BerthError } from '../../lib/errors.ts';

/** What a request says; an empty field leaves the choice to the node. */
export interface SelinuxRequest {
  readonly user: string;
  readonly role: string;
  readonly type: string;
  readonly level: string;
}

/** The policy's own words for a container: `user:role:type:level` of its process and of its files. */
export interface SelinuxContexts {
  readonly process: string;
  readonly file: string;
}

export interface SelinuxLabels {
  readonly process: string;
  readonly mount: string;
}

/** The type of processes that SELinux does not confine. */
const unconfinedType = 'spc_t';

const category = String.raw`c\d{1,4}(?:\.c\d{1,4})?`;
const levelPattern = new RegExp(String.raw`^s\d{1,2}(?:-s\d{1,2})?(?::${category}(?:,${category})*)?$`);

/** Fails `invalid` on a level that no policy can know, also on a node that has no SELinux to tell. */
export function checkSelinuxLevel(request: SelinuxRequest | undefined): void {
  const level = request?.level ?? '';
  if (level === '' || levelPattern.test(level)) return;
  throw new BerthError('invalid', `the SELinux level "${level}" is malformed`, { hint: 'write it as s0:c1,c2' });
}

/** A user and a level hold for process and files; a role and a type are the process's alone. */
export function selinuxLabels(request: SelinuxRequest | undefined, of: { readonly contexts: SelinuxContexts; readonly level: string; readonly privileged: boolean }): SelinuxLabels {
  const { user = '', role = '', type = '', level = '' } = request ?? {};
  const [processUser, processRole, processType] = of.contexts.process.split(':');
  const [fileUser, fileRole, fileType] = of.contexts.file.split(':');
  const chosenType = type || (of.privileged ? unconfinedType : processType);
  const chosenLevel = level || (chosenType === unconfinedType ? 's0' : of.level);
  return {
    process: [user || processUser, role || processRole, chosenType, chosenLevel].join(':'),
    mount: [user || fileUser, fileRole, fileType, chosenLevel].join(':'),
  };
}

/** Files need no label of a container that SELinux does not confine. */
export const isConfined = ({ process }: SelinuxLabels): boolean => process.split(':')[2] !== unconfinedType;

/** The mount option that gives all files of a file system one label. In quotes, since a level has commas. */
export const contextOption = ({ mount }: SelinuxLabels): string => `context="${mount}"`;
