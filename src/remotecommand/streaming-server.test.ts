import { expect, test } from 'vitest';
import { SpdyClient } from './testing/spdy-client.ts';
import { all, eventually, socketClosed, streamingFixture } from './testing/streaming-fixture.ts';

const streaming = streamingFixture();

test('a URL works once, for a minute, and for what it was made', async () => {
  const url = streaming.execUrl();
  await streaming.openSpdy(all, undefined, url);
  const again = await SpdyClient.open(url);
  expect(again.answer).toContain(' 404 ');
  const old = streaming.execUrl();
  streaming.nowMs += 60_000;
  expect((await SpdyClient.open(old)).answer).toContain(' 404 ');
  expect((await SpdyClient.open(streaming.execUrl().replace('/exec/', '/attach/'))).answer).toContain(' 404 ');
  expect((await SpdyClient.open(streaming.execUrl().replace(/[^/]+$/, ''))).answer).toContain(' 404 ');
});

test('a client whose protocol or transport is refused may come again', async () => {
  const url = streaming.execUrl();
  const refused = await SpdyClient.open(url, { 'X-Stream-Protocol-Version': 'v9.channel.k8s.io' });
  expect(refused.answer).toContain(' 403 ');
  expect(refused.answer).toContain('v4.channel.k8s.io, v3.channel.k8s.io');
  expect((await SpdyClient.open(url, {})).answer).toContain(' 403 ');
  expect((await SpdyClient.open(url, { Upgrade: 'h2c', 'X-Stream-Protocol-Version': 'v4.channel.k8s.io' })).answer).toContain(' 400 ');
  expect((await fetch(url)).status).toBe(400);
  expect((await SpdyClient.open(url)).answer).toContain('X-Stream-Protocol-Version: v4.channel.k8s.io');
});

test('a client that vanishes takes its command along', async () => {
  const { client } = await streaming.openSpdy();
  client.socket.destroy();
  await eventually(() => { expect(streaming.session.closed).toBe(1); });
});

test('a client that opens no streams, or only some, is cut off in time', async () => {
  await streaming.server.close(0);
  await streaming.serve({ creationTimeoutMs: 100 });
  const client = await SpdyClient.open(streaming.execUrl());
  client.stream({ streamtype: 'error' });
  client.stream({ streamtype: 'stdout' });
  await socketClosed(client);
  expect(streaming.asked).toEqual([]);
});

test('a connection over which nothing passes is ended, pings or not', async () => {
  await streaming.server.close(0);
  await streaming.serve({ idleTimeoutMs: 200 });
  const { client } = await streaming.openSpdy();
  const pinging = setInterval(() => { client.ping(1); }, 20);
  await socketClosed(client);
  clearInterval(pinging);
  await eventually(() => { expect(streaming.session.closed).toBe(1); });
});

test('at shutdown clients are told, and those that come are sent away', async () => {
  const { client, ids } = await streaming.openSpdy();
  await streaming.server.close(20);
  expect(JSON.parse(client.received(ids.error))).toMatchObject({ status: 'Failure', message: expect.stringContaining('berthd is shutting down') });
  expect(streaming.session.closed).toBe(1);
});

test('at shutdown a session that ends by itself is awaited', async () => {
  const { client, ids } = await streaming.openSpdy({ ...all, stdin: false });
  const closed = streaming.server.close(5000);
  streaming.session.stdout.write('last words');
  streaming.session.end(0);
  await closed;
  expect(client.received(ids.stdout)).toBe('last words');
  expect(JSON.parse(client.received(ids.error))).toMatchObject({ status: 'Success' });
});
