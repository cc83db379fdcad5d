import { expect, test } from 'vitest';
import { maxProfileBytes, type ReadProfile, seccompFor } from './seccomp.ts';

const local = (text: string, found: Partial<Awaited<ReturnType<ReadProfile>>> = {}): Promise<unknown> =>
  seccompFor({ type: 'localhost', localhostRef: '/profile.json' }, false, [], async () => ({ kind: 'file', problem: '', content: Buffer.from(text), ...found }));

test('a local profile is passed on as it is', async () => {
  expect(await local('{"defaultAction":"SCMP_ACT_ERRNO"}')).toEqual({ defaultAction: 'SCMP_ACT_ERRNO' });
});

test('numbers that only 64 bits hold stay what they are: another one would filter other calls', async () => {
  const profile = await local('{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["ioctl"],"action":"SCMP_ACT_ERRNO","args":[{"index":1,"value":18446744071562067969,"op":"SCMP_CMP_EQ"}]}]}');
  expect(profile).toMatchObject({ syscalls: [{ args: [{ value: 18446744071562067969n }] }] });
});

test.each(['null', '[]', '{}', '"SCMP_ACT_ALLOW"', '{"defaultAction":1}'])('%s is no profile, and does not let a container go without one', async (text) => {
  await expect(local(text)).rejects.toThrow(expect.objectContaining({ kind: 'invalid', message: expect.stringContaining('defaultAction') as unknown }));
});

test.each([
  ['nothing', { kind: '' }, 'there is no such file'],
  ['a FIFO', { kind: 'other' }, 'there is no such file'],
  ['a path that cannot be followed', { kind: '', problem: 'Permission denied' }, 'Permission denied'],
  ['too much', { content: Buffer.alloc(maxProfileBytes + 1, ' ') }, 'larger than'],
])('%s is no profile', async (_name, found, message) => {
  await expect(local('', found)).rejects.toThrow(expect.objectContaining({ kind: 'invalid', message: expect.stringContaining(message) as unknown }));
});
