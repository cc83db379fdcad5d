import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { HostPaths } from '../host-paths.ts';
import { FakeAgent } from '../testing/fake-agent.ts';
import { openLogPlace, prepareLogPlace } from './log-place.ts';

let root: string;
const at = (...path: readonly string[]): string => join(root, ...path);
const parts = { hostPaths: new HostPaths(new FakeAgent()) };
const { signal } = new AbortController();
const pod = (): Parameters<typeof openLogPlace>[1] => ({ config: { logDirectory: at('logs') } as Parameters<typeof openLogPlace>[1]['config'] });
const container = (path: string): Parameters<typeof openLogPlace>[2] => ({ logPath: at('logs', path) });
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'berth-log-place-'));
  mkdirSync(at('logs/main'), { recursive: true });
  mkdirSync(at('outside'));
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

test('a directory that became a link after it was found is still the one written to', async () => {
  using place = await openLogPlace(parts, pod(), container('main/0.log'), signal);
  expect(place.path).toBe(at('logs/main/0.log'));
  renameSync(at('logs/main'), at('logs/moved'));
  symlinkSync(at('outside'), at('logs/main'));
  writeFileSync(place.held, 'restored');
  expect(readdirSync(at('outside'))).toEqual([]);
  expect(readFileSync(at('logs/moved/0.log'), 'utf8')).toBe('restored');
});

test('no directory is held after it was used or refused', async () => {
  const held = (): number => readdirSync('/proc/self/fd').length;
  const before = held();
  await prepareLogPlace(parts, pod(), container('main/a/b/0.log'), signal);
  symlinkSync(at('outside'), at('logs/main/a/link'));
  writeFileSync(at('logs/file'), '');
  for (const path of ['main/a/link/0.log', 'main/a/link/deep/0.log', 'file/0.log']) await expect(prepareLogPlace(parts, pod(), container(path), signal)).rejects.toThrow('is no directory');
  expect(held()).toBe(before);
});

test('nothing is made behind a link that takes turns with a directory', async () => {
  const swap = `const { mkdirSync, rmdirSync, symlinkSync, unlinkSync } = require('node:fs');
    const { main, outside } = require('node:worker_threads').workerData;
    const step = (change) => { try { change(); } catch { /* The other side was faster. */ } };
    for (;;) for (const change of [() => rmdirSync(main), () => symlinkSync(outside, main), () => unlinkSync(main), () => mkdirSync(main)]) step(change);`;
  const swapper = new Worker(swap, { eval: true, workerData: { main: at('logs/main'), outside: at('outside') } });
  try {
    for (let round = 0; round < 800; round += 1) {
      try {
        await prepareLogPlace(parts, pod(), container('main/deep/0.log'), signal);
      } catch {
        // It met the link, or nothing.
      }
      expect(readdirSync(at('outside'))).toEqual([]);
      rmSync(at('logs/main/deep'), { recursive: true, force: true });
    }
  } finally {
    await swapper.terminate();
  }
});
