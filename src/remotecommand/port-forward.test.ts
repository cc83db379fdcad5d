import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { frameType } from './spdy/frames.ts';
import { SpdyClient } from './testing/spdy-client.ts';
import { channel, eventually, streamingFixture } from './testing/streaming-fixture.ts';

const streaming = streamingFixture();

async function echo(): Promise<{ readonly port: number; readonly listener: Server }> {
  const listener = createServer({ allowHalfOpen: true }, (socket) => { socket.pipe(socket); });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return { port: (listener.address() as AddressInfo).port, listener };
}

const forwardUrl = (ports: readonly number[] = []): string => streaming.server.portForward({ podId: 'p1', ports });
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
  expect(streaming.asked).toEqual([]);
});

test('ports are forwarded over the channels of a WebSocket, in the order they were asked for', async () => {
  const { port, listener } = await echo();
  const { webSocket, messages, closed } = await streaming.openWebSocket(['v4.channel.k8s.io'], `${forwardUrl()}?port=${port}&port=1`);
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
