import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Context } from '../context.ts';
import { showLogs } from './logs.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-logs-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(directory, { recursive: true });
});

const path = (): string => join(directory, '0.log');
const context = (): Context => ({ cri: { call: async (method: string) => Promise.resolve(method === 'ListContainers' ? { containers: [{ id: 'c1' }] } : { status: { log_path: path() } }) } }) as unknown as Context;

test.each<readonly [string, () => void]>([
  ['a FIFO, which would keep it waiting', () => { execFileSync('mkfifo', [path()]); }],
  ['a link to a file of the node', () => {
    writeFileSync(join(directory, 'secret'), '2026-01-01T00:00:00Z stdout F secret\n');
    symlinkSync('secret', path());
  }],
  ['a link to a device without an end', () => { symlinkSync('/dev/zero', path()); }],
  ['a directory', () => { mkdirSync(path()); }],
])('%s in place of a log is not read', async (_what, put) => {
  put();
  const printed = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  await expect(showLogs(context(), 'c1', {})).rejects.toThrow(`the log ${path()} is no regular file`);
  expect(printed).not.toHaveBeenCalled();
});

test('a log is printed as the program wrote it', async () => {
  writeFileSync(path(), '2026-01-01T00:00:00Z stdout F hello\n');
  const printed = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  await showLogs(context(), 'c1', {});
  expect(printed.mock.calls.map(([text]) => text)).toEqual(['hello\n']);
});

function printedOf(): readonly string[] {
  const printed = vi.mocked(process.stdout.write).mock.calls.map(([text]) => String(text));
  return [printed.join('')];
}

test('characters that the pieces of a log cut are whole again', async () => {
  const text = 'ä€'.repeat(200_000);
  writeFileSync(path(), `2026-01-01T00:00:00Z stdout P ${text}\n2026-01-01T00:00:00Z stdout F !\n`);
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  await showLogs(context(), 'c1', {});
  expect(printedOf()).toEqual([`${text}!\n`]);
});

test('a line without an end is printed as it comes, and what is no entry is passed over', async () => {
  writeFileSync(path(), '');
  truncateSync(path(), 64 << 20);
  appendFileSync(path(), `\n2026-01-01T00:00:00Z stdout F ${'x'.repeat(5 << 20)}\n2026-01-01T00:00:00Z stdout F last\n`);
  const printed = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  await showLogs(context(), 'c1', {});
  expect(printedOf()).toEqual([`${'x'.repeat(5 << 20)}\nlast\n`]);
  expect(Math.max(...printed.mock.calls.map(([text]) => text.length))).toBeLessThan(3 << 20);
});
