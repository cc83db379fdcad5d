import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createConnection, createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { listenForRoot, placeSocket } from './unix-socket.ts';

let directory: string;
let servers: Server[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-socket-'));
  servers = [];
});
afterEach(() => {
  for (const server of servers) server.close();
  rmSync(directory, { recursive: true, force: true });
});

async function answers(path: string): Promise<string> {
  const socket = createConnection(path);
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return chunk.toString();
}

async function serve(name: string): Promise<string> {
  const path = join(directory, name);
  const server = createServer((socket) => socket.end(name));
  servers.push(server);
  await listenForRoot(server, path);
  return path;
}

test('a socket replaces a stale one, is for root alone and leaves nothing beside it', async () => {
  writeFileSync(join(directory, 'a.sock'), 'stale');
  const path = await serve('a.sock');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(await answers(path)).toBe('a.sock');
  expect(readdirSync(directory)).toEqual(['a.sock']);
});

test('sockets of one directory do not take each other away', async () => {
  const paths = await Promise.all(['cri.sock', 'nri.sock', 's', 't', '.hidden'].map(serve));
  expect(await Promise.all(paths.map(answers))).toEqual(['cri.sock', 'nri.sock', 's', 't', '.hidden']);
});

test('a path as long as the kernel takes will do', async () => {
  const name = 'x'.repeat(107 - directory.length - 1);
  expect(await answers(await serve(name))).toBe(name);
});

test('nobody sees it before it has its mode', async () => {
  const path = join(directory, 'a.sock');
  await placeSocket({ path, mode: 0o660, gid: -1 }, async (early) => {
    expect(early).not.toBe(path);
    writeFileSync(early, '');
  });
  expect(statSync(path).mode & 0o777).toBe(0o660);
});

test('a place that cannot be had is named', async () => {
  mkdirSync(join(directory, 'a.sock'));
  await expect(serve('a.sock')).rejects.toMatchObject({ kind: 'internal', message: expect.stringContaining(`cannot listen on ${directory}/a.sock: `) });
  await expect(serve('gone/a.sock')).rejects.toMatchObject({ kind: 'internal', message: expect.stringContaining(`cannot listen on ${directory}/gone/a.sock: `) });
});
