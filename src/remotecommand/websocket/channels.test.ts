import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { fakeIdling } from '../testing/fake-idling.ts';
import { acceptWebSocket } from './accept.ts';
import { binaryCodec } from './channel-codec.ts';
import { Channels, channelsCloseTimeoutMs } from './channels.ts';

const idleTimeoutMs = 600_000;
const server = createServer();
let client: WebSocket;
let channels: Channels;

beforeEach(async () => {
  fakeIdling();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const upgraded = once(server, 'upgrade') as Promise<[IncomingMessage, Duplex, Buffer]>;
  client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const opened = once(client, 'open');
  const [request, socket, head] = await upgraded;
  const accepted = await acceptWebSocket({ request, socket, head }, '', (webSocket) => new Channels(webSocket, { codec: binaryCodec, count: 2, canClose: true, idleTimeoutMs }), channelsCloseTimeoutMs);
  if (accepted === undefined) throw new Error('the handshake failed');
  channels = accepted;
  await opened;
});

afterEach(() => {
  vi.useRealTimers();
  client.terminate();
  channels.destroy();
  server.close();
});

test('a client that is slow to take what it was told has the idle timeout', async () => {
  client.pause();
  let finished = false;
  const finish = channels.finish().then(() => { finished = true; });
  await vi.advanceTimersByTimeAsync(idleTimeoutMs - 1000);
  expect(finished).toBe(false);
  client.resume();
  await finish;
});

test('a client that never answers the farewell is let go in time, whatever else it says', async () => {
  client.pause();
  const finish = channels.finish();
  await vi.advanceTimersByTimeAsync(idleTimeoutMs - 1000);
  client.send(Buffer.from('\0words'));
  await vi.advanceTimersByTimeAsync(20_000);
  await finish;
});

test('a client that broke the protocol and does not hang up is cut off soon', async () => {
  client.send(Buffer.of(255, 9));
  client.pause();
  let gone = false;
  channels.gone.addEventListener('abort', () => { gone = true; });
  await vi.advanceTimersByTimeAsync(60_000);
  await vi.waitFor(() => { expect(gone).toBe(true); }, { timeout: 30_000 });
});
