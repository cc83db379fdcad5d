/** Connections that the real agent carries into a network namespace, and the FIFOs that it makes. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Agent, NamespaceRequest } from '../../src/agent/port.ts';
import { missing, nativeDirectory, PrivateAgent } from './private-agent.ts';

const absent = missing(join(nativeDirectory, 'berth-agent'), '/usr/bin/nsenter');
if (absent !== undefined) console.warn(`skipped: ${absent} is not there`);

const podPort = 8080;
/** A program that repeats in capitals what its one client says. */
const shouter = `require('net').createServer({ allowHalfOpen: true }, function (socket) { this.close(); let said = ''; socket.on('data', (chunk) => { said += chunk; }).on('end', () => socket.end(said.toUpperCase())); }).listen(${podPort}, '127.0.0.1')`;

/** A server of this process on the host's loopback interface. */
async function serve(host: string, onConnection: (socket: Socket) => void): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer({ allowHalfOpen: true }, onConnection).listen(0, host);
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { server, port: address.port };
}

describe.skipIf(absent !== undefined)('berth-agent', () => {
  let directory: string;
  let privateAgent: PrivateAgent;
  let agent: Agent;

  const forward = (port: number, netnsPath = ''): Promise<Duplex> => agent.forwardPort({ netnsPath, port, socketDir: join(directory, 'f') });

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'bf-'));
    privateAgent = new PrivateAgent(directory);
    agent = privateAgent.agent;
    await agent.info();
  });

  afterAll(async () => {
    await privateAgent.close();
    rmSync(directory, { recursive: true });
  });

  test('a port is the pod’s own, and the host’s where the pod has no network of its own', async () => {
    const dir = join(directory, 'pod');
    const request: NamespaceRequest = { dir, net: true, ipc: false, uts: false, pid: false, uidMappings: [], gidMappings: [], hostname: '', sysctls: {}, pauseCgroups: [] };
    await agent.createNamespaces(request);
    const netns = join(dir, 'net');
    try {
      await expect(forward(podPort, netns)).rejects.toMatchObject({ kind: 'precondition', message: expect.stringContaining('nothing listens on port 8080') as unknown });
      // It ends with its one client.
      const listening = agent.exec({ argv: ['/usr/bin/nsenter', `--net=${netns}`, process.execPath, '-e', shouter], env: {}, timeoutMs: 20_000 });
      await expect.poll(() => agent.exec({ argv: ['/usr/bin/nsenter', `--net=${netns}`, '/bin/cat', '/proc/net/tcp'], env: {} }).then(({ stdout }) => Buffer.from(stdout).toString()), { timeout: 10_000 }).toContain(':1F90');
      const connection = await forward(podPort, netns);
      connection.end('through');
      expect(await text(connection)).toBe('THROUGH');
      await listening;
      await expect(forward(podPort)).rejects.toMatchObject({ kind: 'precondition' });
    } finally {
      await agent.releaseNamespaces({ dir, pausePid: 0 });
    }
    expect(readdirSync(join(directory, 'f'))).toEqual([]);
  });

  test('each side ends on its own, and many large streams at once arrive whole', async () => {
    const { server, port } = await serve('127.0.0.1', (socket) => {
      socket.pipe(socket);
    });
    try {
      await Promise.all(Array.from({ length: 12 }, async (_unused, index) => {
        const connection = await forward(port);
        const sent = Buffer.alloc(3 << 20, `connection ${index}, `);
        connection.end(sent);
        const hash = createHash('sha256');
        for await (const chunk of connection as AsyncIterable<Buffer>) hash.update(chunk);
        expect(hash.digest('hex')).toBe(createHash('sha256').update(sent).digest('hex'));
      }));
    } finally {
      server.close();
    }
  });

  test.skipIf(execFileSync('cat', ['/proc/net/if_inet6'], { encoding: 'utf8' }) === '')('a program that listens on ::1 alone is found', async () => {
    const { server, port } = await serve('::1', (socket) => socket.end('six'));
    try {
      expect(await text(await forward(port))).toBe('six');
    } finally {
      server.close();
    }
  });

  test('who reads slowly holds the sender back, and a client that leaves ends the connection', async () => {
    const connected = Promise.withResolvers<Socket>();
    const { server, port } = await serve('127.0.0.1', connected.resolve);
    try {
      const client = await forward(port);
      const far = await connected.promise;
      const gone = new Promise((resolve) => {
        far.on('error', resolve);
      });
      far.write(Buffer.alloc(64 << 20));
      await sleep(500);
      // What the kernel's buffers and the agent's hold is a few MiB.
      expect(far.writableLength).toBeGreaterThan(32 << 20);
      client.destroy();
      await gone;
    } finally {
      server.close();
    }
  });

  test('FIFOs are made whole or not at all, for root alone', async () => {
    const dir = join(directory, 'fifos');
    await agent.makeFifos(dir, ['stdin', 'stdout']);
    expect(readdirSync(dir).toSorted()).toEqual(['stdin', 'stdout']);
    expect([statSync(dir).mode & 0o777, statSync(join(dir, 'stdin')).mode & 0o777, statSync(join(dir, 'stdin')).isFIFO()]).toEqual([0o700, 0o600, true]);
    await expect(agent.makeFifos(dir, ['stdin'])).rejects.toMatchObject({ kind: 'already-exists' });
    await expect(agent.makeFifos(join(directory, 'bad'), ['../up'])).rejects.toMatchObject({ kind: 'invalid' });
    expect(readdirSync(directory)).not.toContain('bad');
  });
});
