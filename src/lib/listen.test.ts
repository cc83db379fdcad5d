import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { listen } from './listen.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-listen-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

test('a place that is taken is an error, and one client that cannot be taken is none', async () => {
  const path = join(directory, 'socket');
  const server = createServer();
  try {
    await listen(server, { path });
    await expect(listen(createServer(), { path })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    expect(server.emit('error', new Error('accept ENOBUFS'))).toBe(true);
    expect(server.listening).toBe(true);
  } finally {
    server.close();
  }
});
