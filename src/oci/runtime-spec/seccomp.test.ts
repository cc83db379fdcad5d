import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { seccompFor } from './seccomp.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-seccomp-'));
});
afterAll(() => {
  rmSync(directory, { recursive: true });
});

const local = (text: string): unknown => {
  const path = join(directory, 'profile.json');
  writeFileSync(path, text);
  return seccompFor({ type: 'localhost', localhostRef: path }, false, []);
};

test('a local profile is passed on as it is', () => {
  expect(local('{"defaultAction":"SCMP_ACT_ERRNO"}')).toEqual({ defaultAction: 'SCMP_ACT_ERRNO' });
});

test('numbers that only 64 bits hold stay what they are: another one would filter other calls', () => {
  const profile = local('{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["ioctl"],"action":"SCMP_ACT_ERRNO","args":[{"index":1,"value":18446744071562067969,"op":"SCMP_CMP_EQ"}]}]}');
  expect(profile).toMatchObject({ syscalls: [{ args: [{ value: 18446744071562067969n }] }] });
});

test.each(['null', '[]', '{}', '"SCMP_ACT_ALLOW"', '{"defaultAction":1}'])('%s is no profile, and does not let a container go without one', (text) => {
  expect(() => local(text)).toThrow(expect.objectContaining({ kind: 'invalid', message: expect.stringContaining('defaultAction') as unknown }));
});
