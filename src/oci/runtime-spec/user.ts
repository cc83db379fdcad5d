import { BerthError } from '../../lib/errors.ts';

/** What a request says about the user; see CRI LinuxContainerSecurityContext. */
export interface UserRequest {
  readonly runAsUser: number | undefined;
  readonly runAsUsername: string;
  readonly runAsGroup: number | undefined;
  readonly supplementalGroups: readonly number[];
  readonly supplementalGroupsPolicy: 'merge' | 'strict';
}

/** The image's own account files; empty strings where it has none. */
export interface AccountFiles {
  readonly passwd: string;
  readonly group: string;
}

export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  /** Sorted, with the primary gid. */
  readonly groups: readonly number[];
}

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/**
 * The entries that hold one of these words somewhere: the files may have megabytes. As for glibc, blanks around a line and
 * comments do not count.
 */
function entriesWith(words: readonly string[], text: string): readonly string[][] {
  const lines = text.split('\n').filter((line) => words.some((word) => line.includes(word)));
  return lines.map((line) => line.trim()).filter((line) => !line.startsWith('#')).map((line) => line.split(':'));
}

/** The largest user or group id: the kernel takes the next number, the last of 32 bits, for none at all. */
export const maxId = 2 ** 32 - 2;

const isId = (text: string): boolean => /^\d+$/.test(text) && Number(text) <= maxId;

/** An id as account files write it: macOS and old NFS have negative ones, which are the same 32 bits without a sign. */
function writtenId(text: string): number | undefined {
  const unsigned = /^-\d+$/.test(text) && Number(text) >= -(2 ** 31) ? Number(text) + 2 ** 32 : undefined;
  return isId(String(unsigned ?? text)) ? (unsigned ?? Number(text)) : undefined;
}

/** Whoever has no group there is in that of root, as under containerd; whoever has no id is nobody, and not root. */
function parsePasswd(text: string, word: string): readonly PasswdEntry[] {
  const words = isId(word) ? [String(Number(word)), String(Number(word) - 2 ** 32)] : [word];
  return entriesWith(words, text).flatMap(([name = '', , uidText = '', gidText = '']) => {
    const [uid, gid] = [writtenId(uidText), gidText === '' ? 0 : writtenId(gidText)];
    return name !== '' && uid !== undefined && gid !== undefined ? [{ name, uid, gid }] : [];
  });
}

function parseGroup(text: string, words: readonly string[]): readonly GroupEntry[] {
  return entriesWith(words, text).flatMap(([name = '', , gidText = '', members = '']) => {
    const gid = writtenId(gidText);
    return name !== '' && gid !== undefined ? [{ name, gid, members: members.split(',').filter((m) => m !== '') }] : [];
  });
}

function userWord(request: UserRequest, imageUser: string): string {
  if (request.runAsUsername !== '') return request.runAsUsername;
  if (request.runAsUser !== undefined) return String(request.runAsUser);
  return imageUser;
}

/**
 * A number is an id even where an image calls an account so: whoever asked for 1000 must not become what that is in the
 * image. So a number that is no id is no name either.
 */
function isNumber(word: string, what: string): boolean {
  if (isId(word)) return true;
  if (!/^[+-]?(\d+|0[xX][\da-fA-F]+)$/.test(word)) return false;
  throw new BerthError('invalid', `${what} "${word}" is out of range`, { hint: `an id is from 0 to ${maxId}, in decimal digits` });
}

function findUser(word: string, passwd: readonly PasswdEntry[]): { uid: number; gid: number; name: string | undefined } {
  if (isNumber(word, 'user')) {
    const byId = passwd.find((entry) => entry.uid === Number(word));
    return { uid: Number(word), gid: byId?.gid ?? 0, name: byId?.name };
  }
  const byName = passwd.find((entry) => entry.name === word);
  if (byName !== undefined) return byName;
  throw new BerthError('invalid', `user "${word}" is not in the image's /etc/passwd`, { hint: 'use a numeric uid or add the user to the image' });
}

function findGroup(word: string, groups: readonly GroupEntry[]): number {
  if (isNumber(word, 'group')) return Number(word);
  const byName = groups.find((entry) => entry.name === word);
  if (byName !== undefined) return byName.gid;
  throw new BerthError('invalid', `group "${word}" is not in the image's /etc/group`, { hint: 'use a numeric gid or add the group to the image' });
}

/**
 * Who the main process runs as. Username wins over uid, uid over the image's USER; a group without a user is an error.
 * `merge` adds the groups that the image's /etc/group gives the user, `strict` does not.
 */
export function resolveUser(request: UserRequest, imageUser: string, files: AccountFiles): ResolvedUser {
  if (request.runAsGroup !== undefined && request.runAsUser === undefined && request.runAsUsername === '') {
    throw new BerthError('invalid', 'run_as_group is set without run_as_user', { hint: 'set run_as_user or run_as_username too' });
  }
  const [userPart = '', groupPart = ''] = userWord(request, imageUser).split(':');
  const word = userPart === '' ? '0' : userPart;
  const user = findUser(word, parsePasswd(files.passwd, word));
  const groups = parseGroup(files.group, [groupPart, user.name ?? ''].filter((name) => name !== ''));
  const imageGid = groupPart === '' ? user.gid : findGroup(groupPart, groups);
  const gid = request.runAsGroup ?? imageGid;
  const fromImage =
    request.supplementalGroupsPolicy === 'merge' && user.name !== undefined
      ? groups.filter((entry) => user.name !== undefined && entry.members.includes(user.name)).map((entry) => entry.gid)
      : [];
  const all = new Set([gid, ...request.supplementalGroups, ...fromImage]);
  return { uid: user.uid, gid, groups: [...all].toSorted((a, b) => a - b) };
}
