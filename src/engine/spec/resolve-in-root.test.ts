import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { resolveInRoot } from './resolve-in-root.ts';

let root: string;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'berth-root-'));
  mkdirSync(join(root, 'usr/lib'), { recursive: true });
  mkdirSync(join(root, 'etc'));
  writeFileSync(join(root, 'file'), '');
  symlinkSync('/usr', join(root, 'absolute'));
  symlinkSync('../../../../etc', join(root, 'usr/up'));
  symlinkSync('loop', join(root, 'loop'));
});

afterAll(() => {
  rmSync(root, { recursive: true });
});

test.each([
  ['', ''],
  ['/', ''],
  ['usr/lib', 'usr/lib'],
  ['usr/./../etc/', 'etc'],
  ['../../../etc', 'etc'],
  ['absolute/lib', 'usr/lib'],
  ['usr/up', 'etc'],
])('"%s" is "%s" below the root', async (path, expected) => {
  await expect(resolveInRoot(root, path)).resolves.toBe(join(root, expected));
});

test.each(['file', 'none', 'loop', 'file/..'])('"%s" is an error', async (path) => {
  await expect(resolveInRoot(root, path)).rejects.toThrow();
});
