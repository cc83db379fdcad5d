/** Clients that break the rules, or leave others no room. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createLogger } from '../telemetry/log.ts';
import { StreamingServer } from './streaming-server.ts';
import { FakeSession } from './testing/fake-session.ts';

const streams = { stdin: true, stdout: true, stderr: false, tty: false };
const clock = { nowNs: () => 0n, monotonicMs: () => 0 };
const log = createLogger({ level: 'error', format: 'json' }, () => undefined);
const plain = { address: '127.0.0.1:0', tlsCert: '', tlsKey: '', clientCa: '', idleTimeoutMs: 60_000, creationTimeoutMs: 5000 };

let session: FakeSession;
let server: StreamingServer;
let sockets: Socket[];
const exec = async (): Promise<FakeSession> => Promise.resolve(session);
const engine = { containers: { exec, attach: exec }, pods: { forward: async () => Promise.reject(new Error('no pods here')) } };

beforeEach(async () => {
  session = new FakeSession();
  sockets = [];
  server = new StreamingServer({ engine, clock, log }, plain);
  await server.listen();
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await server.close(0);
});

const execUrl = (): string => server.exec({ containerId: 'c1', command: ['sh'], streams });
const forwardUrl = (): string => server.portForward({ podId: 'p1', ports: [] });

async function connectTo(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  sockets.push(socket);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** An upgrade with what the client sends before it is answered. */
async function upgrade(url: string, protocol: string, early: Buffer): Promise<Socket> {
  const socket = await connectTo(url);
  const head = `GET ${new URL(url).pathname} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ${protocol}\r\n\r\n`;
  socket.write(Buffer.concat([Buffer.from(head), early]));
  return socket;
}

const noFrame = Buffer.from('ffffffff', 'hex');

test.each([
  ['a command', execUrl, 'v5.channel.k8s.io'],
  ['ports in a tunnel', forwardUrl, 'SPDY/3.1+portforward.k8s.io'],
])('WebSocket: what is no frame right after the request for %s ends that connection alone', async (_name, url, protocol) => {
  const socket = await upgrade(url(), protocol, noFrame);
  socket.resume();
  await once(socket, 'close');
  expect((await fetch(execUrl())).status).toBe(400);
});

test('WebSocket: input right after the request is not lost', async () => {
  const masked = Buffer.from('8284000000000068692e', 'hex');
  await upgrade(execUrl(), 'v5.channel.k8s.io', masked);
  await vi.waitFor(() => { expect(String(session.stdin.read() ?? '')).toBe('hi.'); }, 10_000);
});

test.each([{ clientCa: '/ca.pem' }, { tlsKey: '/key.pem' }, { tlsCert: '/cert.pem' }])('%j alone does not leave the door open in silence', (over) => {
  expect(() => new StreamingServer({ engine, clock, log }, { ...plain, ...over })).toThrow('tls_key');
});

test('a client that could not be taken is no reason to end', async () => {
  await server.close(0);
  const listen = vi.spyOn(Server.prototype, 'listen');
  server = new StreamingServer({ engine, clock, log }, plain);
  await server.listen();
  const [http] = listen.mock.contexts;
  listen.mockRestore();
  for (const attempt of ['first', 'second']) (http as Server).emit('error', new Error(`${attempt} accept: EMFILE`));
  expect((await fetch(execUrl())).status).toBe(400);
});

test('over TLS, a client that says nothing does not keep the door from closing', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'berth-streaming-'));
  try {
    const [tlsKey, tlsCert] = [join(directory, 'key'), join(directory, 'cert')];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=x', '-keyout', tlsKey, '-out', tlsCert], { stdio: 'ignore' });
    const safe = new StreamingServer({ engine, clock, log }, { ...plain, tlsCert, tlsKey });
    await safe.listen();
    const socket = await connectTo(safe.exec({ containerId: 'c1', command: ['sh'], streams }));
    socket.resume();
    await safe.close(0);
    await once(socket, 'close');
  } finally {
    rmSync(directory, { recursive: true });
  }
});
