import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeDirectory } from './make-directory.ts';

let scratch = '';
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'berth-directory-'));
});
afterEach(() => {
  rmSync(scratch, { recursive: true });
});

test('a directory is made with those above it, and one that is there stays', () => {
  makeDirectory(join(scratch, 'a/b/c'), 0o711, 'state_root');
  makeDirectory(join(scratch, 'a/b/c'), 0o700, 'state_root');
  expect(statSync(join(scratch, 'a/b/c')).mode & 0o777).toBe(0o711);
});

test('where none can be made, the setting is named', () => {
  writeFileSync(join(scratch, 'file'), '');
  expect(() => { makeDirectory(join(scratch, 'file/x'), 0o700, '[cri] socket'); }).toThrow(expect.objectContaining({ kind: 'invalid', message: expect.stringContaining('of [cri] socket: ENOTDIR'), hint: 'correct [cri] socket' }));
});

test('it ends also where the kernel makes no directories', () => {
  expect(() => { makeDirectory('/proc/berth/x', 0o700, 'state_root'); }).toThrow('cannot make /proc/berth/x of state_root: ENOENT');
});
