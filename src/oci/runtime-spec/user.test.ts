import { expect, test } from 'vitest';
import { resolveUser, type UserRequest } from './user.ts';

const files = {
  passwd: 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\napp:x:1000:1000::/:/bin/sh\nbroken\n',
  group: 'root:x:0:\napp:x:1000:\nextra:x:50000:app,other\n',
};
const request: UserRequest = { runAsUser: undefined, runAsUsername: '', runAsGroup: undefined, supplementalGroups: [], supplementalGroupsPolicy: 'merge' };
const resolve = (change: Partial<UserRequest>, imageUser = ''): unknown => resolveUser({ ...request, ...change }, imageUser, files);

test('nothing said is root', () => {
  expect(resolve({})).toEqual({ uid: 0, gid: 0, groups: [0] });
});

test('username wins over uid, uid over the image', () => {
  expect(resolve({ runAsUsername: 'nobody', runAsUser: 1 }, 'app')).toEqual({ uid: 65534, gid: 65534, groups: [65534] });
  expect(resolve({ runAsUser: 1001 }, 'app')).toEqual({ uid: 1001, gid: 0, groups: [0] });
  expect(resolve({}, 'app')).toEqual({ uid: 1000, gid: 1000, groups: [1000, 50000] });
  expect(resolve({}, 'app:extra')).toEqual({ uid: 1000, gid: 50000, groups: [50000] });
});

test('blanks around lines, comments and ids with zeros in front', () => {
  const odd = { passwd: '# app:x:0:0::/:/bin/sh\r\n\t app:x:01000:1001::/:/bin/sh \r\n#app:x:0:0::\n', group: '  # extra:x:1:app\n  extra:x:50000:other,app\r\n' };
  expect(resolveUser(request, 'app', odd)).toEqual({ uid: 1000, gid: 1001, groups: [1001, 50000] });
  expect(resolveUser(request, '1000:extra', odd)).toEqual({ uid: 1000, gid: 50000, groups: [50000] });
});

test.each([
  ['no group', 'app:x:1000', 'app', { uid: 1000, gid: 0, groups: [0] }],
  ['an empty group', 'app:x:1000::app:/:/bin/sh', 'app', { uid: 1000, gid: 0, groups: [0] }],
  ['the negative ids of macOS', 'nobody:*:-2:-2:Nobody:/:', 'nobody', { uid: 4294967294, gid: 4294967294, groups: [77, 4294967294] }],
  ['negative ids, asked for by number', 'nobody:*:-2:-2:Nobody:/:', '4294967294', { uid: 4294967294, gid: 4294967294, groups: [77, 4294967294] }],
])('an entry with %s', (_name, entry, user, wanted) => {
  expect(resolveUser(request, user, { passwd: `+::::::\n\n${entry}\n`, group: '+:::\nwheel:x::nobody\nmore:x:77:nobody\n' })).toEqual(wanted);
});

test.each(['app', 'app:x', 'app:x::1000', 'app:x:none:1000', 'app:x:-1:5', 'app:x:4294967295:5', 'app:x:-2147483649:5', 'app:x:1000:-1'])('%s names nobody, and never root', (entry) => {
  expect(() => resolveUser(request, 'app', { passwd: `${entry}\n`, group: '' })).toThrow('"app" is not in');
});

test('merge adds the groups of /etc/group, strict only what was asked', () => {
  const asked = { runAsUser: 1000, supplementalGroups: [1234] };
  expect(resolve(asked)).toEqual({ uid: 1000, gid: 1000, groups: [1000, 1234, 50000] });
  expect(resolve({ ...asked, supplementalGroupsPolicy: 'strict' })).toEqual({ uid: 1000, gid: 1000, groups: [1000, 1234] });
});

test('a number is an id, whatever the image calls its accounts', () => {
  const traps = { passwd: 'root:x:0:0::/:/bin/sh\n1000:x:0:0::/:/bin/sh\n', group: 'root:x:0:\n2000:x:0:\n' };
  expect(resolveUser({ ...request, runAsUser: 1000 }, '', traps)).toMatchObject({ uid: 1000, gid: 0 });
  expect(resolveUser(request, '1000:2000', traps)).toMatchObject({ uid: 1000, gid: 2000 });
});

const noIds = ['4294967295', '4294967296', '100000000000', '18446744073709551616', '00004294967295', '-1', '+5', '0x0', '0XFf'];

test.each(noIds)('%s is no id, and no name either, even if the image has an account of that name', (word) => {
  const traps = { passwd: `root:x:0:0::/:/bin/sh\n${word}:x:0:0::/:/bin/sh\n`, group: `root:x:0:\n${word}:x:0:\n` };
  const outOfRange = expect.objectContaining({ kind: 'invalid', message: expect.stringContaining(`"${word}" is out of range`) });
  for (const user of [word, `${word}:1000`, `1000:${word}`, `root:${word}`]) expect(() => resolveUser(request, user, traps), user).toThrow(outOfRange);
  expect(() => resolveUser({ ...request, runAsUsername: word }, '', traps)).toThrow(outOfRange);
});

test('the largest id and leading zeros are what they say', () => {
  expect(resolve({}, '4294967294:4294967294')).toMatchObject({ uid: 4294967294, gid: 4294967294 });
  expect(resolve({}, '0000000001000:007')).toMatchObject({ uid: 1000, gid: 7 });
});

test('a group alone and unknown names are errors that say so', () => {
  expect(() => resolve({ runAsGroup: 5 })).toThrow('run_as_user');
  expect(() => resolve({ runAsUsername: 'ghost' })).toThrow('"ghost"');
  expect(() => resolve({}, 'app:ghosts')).toThrow('"ghosts"');
});
