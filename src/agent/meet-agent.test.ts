import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BerthError } from '../lib/errors.ts';
import { meetAgent } from './meet-agent.ts';

let directory: string;
beforeEach(() => { directory = mkdtempSync(join(tmpdir(), 'berth-meet-')); });
afterEach(() => { rmSync(directory, { recursive: true }); });

test('who connects is met, and the socket’s path is gone', async () => {
  const socket = await meetAgent(directory, async (path) => { connect(path).end('here'); return Promise.resolve(); });
  expect(await text(socket)).toBe('here');
  socket.destroy();
  expect(readdirSync(directory)).toEqual([]);
});

test('a connection that was lost is not waited for', async () => {
  await expect(meetAgent(directory, async () => Promise.resolve(), 50)).rejects.toMatchObject({ kind: 'unavailable' });
  expect(readdirSync(directory)).toEqual([]);
});

test('one that comes although the call fails is closed', async () => {
  let theirs: ReturnType<typeof connect> | undefined;
  const failure = new BerthError('timeout', 'no answer');
  await expect(meetAgent(directory, async (path) => {
    theirs = connect(path);
    await new Promise((resolve) => { theirs?.once('connect', resolve); });
    throw failure;
  })).rejects.toBe(failure);
  await expect.poll(() => theirs?.resume().closed).toBe(true);
});
