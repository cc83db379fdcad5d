import { once } from 'node:events';
import { createServer, connect, type AddressInfo, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import type { StreamChoice } from '../engine/model/session.ts';
import { BerthError } from '../lib/errors.ts';
import { createLogger } from '../telemetry/log.ts';
import { frameType } from './spdy/frames.ts';
import type { StreamEngine } from './sessions.ts';
import { StreamingServer } from './streaming-server.ts';
import { FakeSession } from './testing/fake-session.ts';
import { SpdyClient } from './testing/spdy-client.ts';

let session: FakeSession;
let asked: unknown[];
let server: StreamingServer;
let nowMs: number;
let logged: string[];
let open: () => Promise<FakeSession>;
const engine: StreamEngine = {
  containers: {
    exec: async (request) => { asked.push(request); return open(); },
    attach: async (id, streams) => { asked.push({ id, streams }); return open(); },
  },
  pods: {
    forward: async (id, port) => {
      asked.push({ id, port });
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
      try {
        await once(socket, 'connect');
      } catch (cause) {
        throw new BerthError('precondition', `nothing listens on port ${port} of pod ${id}`, { cause });
      }
      return socket;
    },
  },
};

async function serve(over: { readonly idleTimeoutMs?: number; readonly creationTimeoutMs?: number } = {}): Promise<void> {
  const log = createLogger({ level: 'debug', format: 'json' }, (line) => { logged.push(line); });
  const clock = { nowNs: () => 0n, monotonicMs: () => nowMs };
  server = new StreamingServer({ engine, clock, log }, { address: '127.0.0.1:0', tlsCert: '', tlsKey: '', clientCa: '', idleTimeoutMs: 60_000, creationTimeoutMs: 5000, ...over });
  await server.listen();
}

beforeEach(async () => {
  session = new FakeSession();
  [asked, logged, nowMs] = [[], [], 0];
  open = async () => Promise.resolve(session);
  await serve();
});
afterEach(async () => server.close(0));

const all: StreamChoice = { stdin: true, stdout: true, stderr: true, tty: false };
const terminal: StreamChoice = { stdin: true, stdout: true, stderr: false, tty: true };
const execUrl = (streams: StreamChoice = all): string => server.exec({ containerId: 'c1', command: ['sh'], streams });
const eventually = vi.waitFor;

interface Opened {
  readonly client: SpdyClient;
  readonly ids: Readonly<Record<'error' | 'stdin' | 'stdout' | 'stderr' | 'resize', number>>;
}

/** Opens what the client of an exec opens. */
async function openSpdy(streams: StreamChoice = all, version = 'v4.channel.k8s.io', url = execUrl(streams)): Promise<Opened> {
  const client = await SpdyClient.open(url, { 'X-Stream-Protocol-Version': version });
  const wanted = { error: true, stdin: streams.stdin, stdout: streams.stdout, stderr: streams.stderr, resize: streams.tty };
  const ids = Object.fromEntries(Object.entries(wanted).map(([streamtype, use]) => [streamtype, use ? client.stream({ streamtype }) : 0]));
  await eventually(() => { expect(asked).toHaveLength(1); });
  return { client, ids: ids as Opened['ids'] };
}

const socketClosed = async ({ socket }: SpdyClient): Promise<void> => eventually(() => { expect(socket.destroyed || socket.readableEnded).toBe(true); });

test('input, output and exit of a command go over SPDY', async () => {
  const { client, ids } = await openSpdy();
  expect(asked).toEqual([{ containerId: 'c1', command: ['sh'], streams: all }]);
  client.send(ids.stdin, 'in ');
  client.send(ids.stdin, 'and end', true);
  expect(Buffer.concat(await session.stdin.toArray()).toString()).toBe('in and end');
  session.stdout.write('out');
  session.stderr.write('err');
  session.end(42);
  await socketClosed(client);
  expect([client.received(ids.stdout), client.received(ids.stderr)]).toEqual(['out', 'err']);
  expect(JSON.parse(client.received(ids.error))).toMatchObject({ status: 'Failure', reason: 'NonZeroExitCode', details: { causes: [{ reason: 'ExitCode', message: '42' }] } });
  expect(Object.values(ids).slice(0, 4).every((id) => client.ended(id))).toBe(true);
  expect(client.control.at(-1)?.type).toBe(frameType.goAway);
  expect(session.closed).toBe(1);
});

test.each([
  ['v4.channel.k8s.io', 0, '{"metadata":{},"status":"Success"}'],
  ['v3.channel.k8s.io', 0, ''],
  ['v2.channel.k8s.io', 0, ''],
  ['channel.k8s.io', 7, 'command terminated with non-zero exit code: exit status 7'],
  ['v9.channel.k8s.io, v3.channel.k8s.io', 7, 'command terminated with non-zero exit code: exit status 7'],
])('%s tells the exit code %i its way', async (version, code, text) => {
  const { client, ids } = await openSpdy({ ...all, stdin: false }, version);
  session.end(code);
  await socketClosed(client);
  expect(client.received(ids.error)).toBe(text);
});

test('terminals are resized', async () => {
  const { client, ids } = await openSpdy(terminal);
  client.send(ids.resize, '{"Width":80,"Height":24}{"Wid');
  client.send(ids.resize, 'th":100,"Height":50}');
  await eventually(() => { expect(session.sizes).toEqual([{ columns: 80, rows: 24 }, { columns: 100, rows: 50 }]); });
});

test('a command that cannot start says why, and of what is berth’s own fault only the log tells', async () => {
  open = () => Promise.reject(new BerthError('not-found', 'no program /x in container c1', { hint: 'look' }));
  const first = await openSpdy({ ...all, stdin: false });
  await socketClosed(first.client);
  expect(JSON.parse(first.client.received(first.ids.error))).toMatchObject({ status: 'Failure', message: 'Internal error occurred: no program /x in container c1; look' });
  open = () => Promise.reject(new Error('secret detail'));
  asked = [];
  const second = await openSpdy({ ...all, stdin: false });
  await socketClosed(second.client);
  expect(second.client.received(second.ids.error)).not.toContain('secret');
  expect(logged.join('')).toContain('secret detail');
});

test('an attachment ends with success, whatever the container ends with', async () => {
  const { client, ids } = await openSpdy(all, undefined, server.attach({ containerId: 'c1', streams: all }));
  expect(asked).toEqual([{ id: 'c1', streams: all }]);
  session.end(3);
  await socketClosed(client);
  expect(JSON.parse(client.received(ids.error))).toMatchObject({ status: 'Success' });
});

test('a URL works once, for a minute, and for what it was made', async () => {
  const url = execUrl();
  await openSpdy(all, undefined, url);
  const again = await SpdyClient.open(url);
  expect(again.answer).toContain(' 404 ');
  const old = execUrl();
  nowMs += 60_000;
  expect((await SpdyClient.open(old)).answer).toContain(' 404 ');
  expect((await SpdyClient.open(execUrl().replace('/exec/', '/attach/'))).answer).toContain(' 404 ');
  expect((await SpdyClient.open(execUrl().replace(/[^/]+$/, ''))).answer).toContain(' 404 ');
});

test('a client whose protocol or transport is refused may come again', async () => {
  const url = execUrl();
  const refused = await SpdyClient.open(url, { 'X-Stream-Protocol-Version': 'v9.channel.k8s.io' });
  expect(refused.answer).toContain(' 403 ');
  expect(refused.answer).toContain('v4.channel.k8s.io, v3.channel.k8s.io');
  expect((await SpdyClient.open(url, {})).answer).toContain(' 403 ');
  expect((await SpdyClient.open(url, { Upgrade: 'h2c', 'X-Stream-Protocol-Version': 'v4.channel.k8s.io' })).answer).toContain(' 400 ');
  expect((await fetch(url)).status).toBe(400);
  expect((await SpdyClient.open(url)).answer).toContain('X-Stream-Protocol-Version: v4.channel.k8s.io');
});

test('a client that vanishes takes its command along', async () => {
  const { client } = await openSpdy();
  client.socket.destroy();
  await eventually(() => { expect(session.closed).toBe(1); });
});

test('a client that opens no streams, or only some, is cut off in time', async () => {
  await server.close(0);
  await serve({ creationTimeoutMs: 100 });
  const client = await SpdyClient.open(execUrl());
  client.stream({ streamtype: 'error' });
  client.stream({ streamtype: 'stdout' });
  await socketClosed(client);
  expect(asked).toEqual([]);
});

test('streams that do not belong to the command are reset, and the others go on', async () => {
  const { client, ids } = await openSpdy();
  const unknown = client.stream({ streamtype: 'bogus' });
  const second = client.stream({ streamtype: 'stdout' });
  await eventually(() => { expect(client.control.filter(({ type }) => type === frameType.rstStream).map(({ id }) => id)).toEqual([unknown, second]); });
  client.ping(99);
  await eventually(() => { expect(client.control).toContainEqual({ type: frameType.ping, id: 99 }); });
  session.stdout.write('still here');
  await eventually(() => { expect(client.received(ids.stdout)).toBe('still here'); });
});

test.each([
  ['data for a stream that was never opened', Buffer.from('0000004d0000000161', 'hex')],
  ['data for stream 0', Buffer.from('000000000000000161', 'hex')],
  ['a reply to nothing', Buffer.from('800300020000000400000001', 'hex')],
  ['a stream whose id is even', Buffer.from('800300010000000a00000002000000000000', 'hex')],
  ['a stream whose id was used', Buffer.from('800300010000000a00000001000000000000', 'hex')],
  ['headers that are none', Buffer.from('800300010000000e00000063000000000000deadbeef', 'hex')],
  ['another version', Buffer.from('800200060000000400000001', 'hex')],
  ['a control frame of 16 MB', Buffer.from('8003000100ffffff', 'hex')],
  ['a short reset', Buffer.from('800300030000000400000001', 'hex')],
  ['a ping for nothing', Buffer.from('800300060000000400000000', 'hex')],
])('%s ends the connection and the command', async (_name, bytes) => {
  const { client } = await openSpdy();
  client.socket.write(bytes);
  await socketClosed(client);
  expect(client.control.at(-1)?.type).toBe(frameType.goAway);
  await eventually(() => { expect(session.closed).toBe(1); });
});

test('a peer that opens streams without end is refused', async () => {
  const client = await SpdyClient.open(server.portForward({ podId: 'p1', ports: [] }), { 'X-Stream-Protocol-Version': 'portforward.k8s.io' });
  for (let index = 0; index < 600; index += 1) client.stream({ streamtype: 'error', port: '80', requestid: String(index) });
  await eventually(() => { expect(client.control.filter(({ type }) => type === frameType.rstStream)).toHaveLength(600 - 512); });
});

const flood = Buffer.alloc(1 << 20);

test.each(['spdy', 'websocket'])('%s: a process that does not read holds its client back, and its end lets go', async (transport) => {
  let written = 0;
  const fill = async (write: () => void, waiting: () => number): Promise<void> => {
    for (; waiting() < flood.length && written < 64; written += 1) {
      write();
      await sleep(5);
    }
  };
  if (transport === 'spdy') {
    const { client, ids } = await openSpdy();
    await fill(() => { client.send(ids.stdin, flood); }, () => client.socket.writableLength);
    expect(written).toBeLessThan(64);
    session.end(0);
    await socketClosed(client);
    expect(JSON.parse(client.received(ids.error))).toMatchObject({ status: 'Success' });
  } else {
    const { webSocket, closed } = await openWebSocket();
    await fill(() => { webSocket.send(Buffer.concat([Buffer.of(0), flood])); }, () => webSocket.bufferedAmount);
    expect(written).toBeLessThan(64);
    session.end(0);
    expect(await closed).toBe(1000);
  }
});

test.each(['spdy', 'websocket'])('%s: a client that does not read holds the process back', async (transport) => {
  const socket = transport === 'spdy' ? (await openSpdy()).client.socket : (await openWebSocket()).webSocket;
  socket.pause();
  let taken = 0;
  session.stdout.on('data', (chunk: Buffer) => { taken += chunk.length; });
  session.stdout.pause();
  void (async () => {
    for (let index = 0; index < 64 && !session.stdout.destroyed; index += 1) if (!session.stdout.write(flood)) await once(session.stdout, 'drain');
  })().catch(() => undefined);
  session.stdout.resume();
  await sleep(300);
  const atRest = taken;
  await sleep(100);
  expect(taken).toBe(atRest);
  expect(atRest).toBeLessThan(32 << 20);
});

async function openWebSocket(protocols: readonly string[] = ['v5.channel.k8s.io'], url = execUrl()): Promise<{ readonly webSocket: WebSocket; readonly messages: Buffer[]; readonly closed: Promise<number> }> {
  const webSocket = new WebSocket(url.replace('http', 'ws'), [...protocols]);
  const messages: Buffer[] = [];
  webSocket.on('message', (message: Buffer) => { messages.push(message); });
  const closed = new Promise<number>((resolve) => { webSocket.once('close', resolve); });
  await once(webSocket, 'open');
  return { webSocket, messages, closed };
}

const channel = (messages: readonly Buffer[], number: number): string => Buffer.concat(messages.filter(([first]) => first === number).map((message) => message.subarray(1))).toString();

test('input, its end, output and exit of a command go over WebSocket v5', async () => {
  const { webSocket, messages, closed } = await openWebSocket();
  expect(webSocket.protocol).toBe('v5.channel.k8s.io');
  webSocket.send(Buffer.from('\0in'));
  webSocket.send(Buffer.of(255, 0));
  expect(Buffer.concat(await session.stdin.toArray()).toString()).toBe('in');
  session.stdout.write('out');
  session.stderr.write('err');
  session.end(137);
  expect(await closed).toBe(1000);
  expect(messages[0]).toEqual(Buffer.of(1));
  expect([1, 2].map((number) => channel(messages, number))).toEqual(['out', 'err']);
  expect(JSON.parse(channel(messages, 3))).toMatchObject({ details: { causes: [{ reason: 'ExitCode', message: '137' }] } });
  expect(session.closed).toBe(1);
});

test('WebSocket v4 has no end of input, and resizes', async () => {
  const { webSocket } = await openWebSocket(['v4.channel.k8s.io'], execUrl(terminal));
  webSocket.send(Buffer.of(255, 0));
  webSocket.send(Buffer.from('\0x'));
  webSocket.send(Buffer.from('\u0004{"Width":7,"Height":8}'));
  await eventually(() => { expect(session.sizes).toEqual([{ columns: 7, rows: 8 }]); });
  expect(String(session.stdin.read())).toBe('x');
  expect(session.stdin.readableEnded).toBe(false);
  webSocket.close();
  await eventually(() => { expect(session.closed).toBe(1); });
});

test('base64 channels carry the same as text', async () => {
  const { webSocket, messages, closed } = await openWebSocket(['v4.base64.channel.k8s.io']);
  webSocket.send(`0${Buffer.from('in').toString('base64')}`);
  await eventually(() => { expect(String(session.stdin.read() ?? '')).toBe('in'); });
  session.stdout.write('out');
  session.end(0);
  await closed;
  expect(messages.map(String)).toEqual(['1', `1${Buffer.from('out').toString('base64')}`, `3${Buffer.from('{"metadata":{},"status":"Success"}').toString('base64')}`]);
});

test('a WebSocket client that offers no protocol gets the first version', async () => {
  const { webSocket, messages, closed } = await openWebSocket([]);
  expect(webSocket.protocol).toBe('');
  session.end(5);
  await closed;
  expect(channel(messages, 3)).toBe('command terminated with non-zero exit code: exit status 5');
});

test.each([
  ['a close of no channel', Buffer.of(255, 9), 1002],
  ['a close without a channel', Buffer.of(255), 1002],
  ['a message of 5 MB', Buffer.alloc(5 << 20), 1009],
])('WebSocket: %s ends the connection and the command', async (_name, message, code) => {
  const { webSocket, closed } = await openWebSocket();
  webSocket.send(message);
  expect(await closed).toBe(code);
  await eventually(() => { expect(session.closed).toBe(1); });
});

test('a connection over which nothing passes is ended, pings or not', async () => {
  await server.close(0);
  await serve({ idleTimeoutMs: 200 });
  const { client } = await openSpdy();
  const pinging = setInterval(() => { client.ping(1); }, 20);
  await socketClosed(client);
  clearInterval(pinging);
  await eventually(() => { expect(session.closed).toBe(1); });
});

test('at shutdown clients are told, and those that come are sent away', async () => {
  const { client, ids } = await openSpdy();
  await server.close(20);
  expect(JSON.parse(client.received(ids.error))).toMatchObject({ status: 'Failure', message: expect.stringContaining('berthd is shutting down') });
  expect(session.closed).toBe(1);
});

test('at shutdown a session that ends by itself is awaited', async () => {
  const { client, ids } = await openSpdy({ ...all, stdin: false });
  const closed = server.close(5000);
  session.stdout.write('last words');
  session.end(0);
  await closed;
  expect(client.received(ids.stdout)).toBe('last words');
  expect(JSON.parse(client.received(ids.error))).toMatchObject({ status: 'Success' });
});

async function echo(): Promise<{ readonly port: number; readonly listener: Server }> {
  const listener = createServer({ allowHalfOpen: true }, (socket) => { socket.pipe(socket); });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return { port: (listener.address() as AddressInfo).port, listener };
}

const forwardUrl = (ports: readonly number[] = []): string => server.portForward({ podId: 'p1', ports });
const forwardHeaders = { 'X-Stream-Protocol-Version': 'portforward.k8s.io' };

test('several connections are forwarded at once, each half-closing by itself', async () => {
  const { port, listener } = await echo();
  const client = await SpdyClient.open(forwardUrl(), forwardHeaders);
  const pairs = ['a', 'b', 'c'].map((requestid) => {
    const error = client.stream({ streamtype: 'error', port: String(port), requestid });
    const data = client.stream({ streamtype: 'data', port: String(port), requestid });
    client.send(error, '', true);
    client.send(data, `hello ${requestid}`, true);
    return { requestid, error, data };
  });
  await eventually(() => { expect(pairs.every(({ error, data }) => client.ended(error) && client.ended(data))).toBe(true); });
  expect(pairs.map(({ data }) => client.received(data))).toEqual(['hello a', 'hello b', 'hello c']);
  expect(pairs.map(({ error }) => client.received(error))).toEqual(['', '', '']);
  listener.close();
});

test('a port on which nothing listens is told on the error stream, and the connection lives on', async () => {
  const { port, listener } = await echo();
  listener.close();
  await once(listener, 'close');
  const client = await SpdyClient.open(forwardUrl(), forwardHeaders);
  const error = client.stream({ streamtype: 'error', port: String(port) });
  const data = client.stream({ streamtype: 'data', port: String(port) });
  await eventually(() => { expect(client.ended(error)).toBe(true); });
  expect(client.received(error)).toBe(`error forwarding port ${port}: nothing listens on port ${port} of pod p1`);
  expect(client.control).toContainEqual({ type: frameType.rstStream, id: data });
  client.ping(5);
  await eventually(() => { expect(client.control).toContainEqual({ type: frameType.ping, id: 5 }); });
});

test('streams that name no port, or half of a pair twice, are reset', async () => {
  const client = await SpdyClient.open(forwardUrl(), forwardHeaders);
  const wrong = [{ streamtype: 'data' }, { streamtype: 'data', port: '0' }, { streamtype: 'data', port: '65536' }, { streamtype: 'what', port: '1' }].map((headers) => client.stream(headers));
  client.stream({ streamtype: 'data', port: '1', requestid: 'x' });
  const twice = client.stream({ streamtype: 'data', port: '1', requestid: 'x' });
  await eventually(() => { expect(client.control.filter(({ type }) => type === frameType.rstStream).map(({ id }) => id)).toEqual([...wrong, twice]); });
  expect(asked).toEqual([]);
});

test('ports are forwarded over the channels of a WebSocket, in the order they were asked for', async () => {
  const { port, listener } = await echo();
  const { webSocket, messages, closed } = await openWebSocket(['v4.channel.k8s.io'], `${forwardUrl()}?port=${port}&port=1`);
  webSocket.send(Buffer.from('\0hello'));
  const name = (number: number): string => Buffer.of(number % 256, number >> 8).toString();
  await eventually(() => { expect(channel(messages, 0)).toBe(`${name(port)}hello`); });
  expect(channel(messages, 1)).toBe(name(port));
  expect(channel(messages, 3)).toBe(`${name(1)}error forwarding port 1: nothing listens on port 1 of pod p1`);
  webSocket.close();
  await closed;
  listener.close();
  await once(listener, 'close');
});

test('a WebSocket without SPDY has to name ports', async () => {
  const webSocket = new WebSocket(forwardUrl().replace('http', 'ws'), ['v4.channel.k8s.io']);
  await expect(once(webSocket, 'open')).rejects.toThrow('400');
  const again = new WebSocket(`${forwardUrl()}?port=65536`.replace('http', 'ws'), ['v4.channel.k8s.io']);
  await expect(once(again, 'open')).rejects.toThrow('400');
});
