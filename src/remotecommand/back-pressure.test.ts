import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { socketClosed, streamingFixture } from './testing/streaming-fixture.ts';

const streaming = streamingFixture();

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
    const { client, ids } = await streaming.openSpdy();
    await fill(() => { client.send(ids.stdin, flood); }, () => client.socket.writableLength);
    expect(written).toBeLessThan(64);
    streaming.session.end(0);
    await socketClosed(client);
    expect(JSON.parse(client.received(ids.error))).toMatchObject({ status: 'Success' });
  } else {
    const { webSocket, closed } = await streaming.openWebSocket();
    await fill(() => { webSocket.send(Buffer.concat([Buffer.of(0), flood])); }, () => webSocket.bufferedAmount);
    expect(written).toBeLessThan(64);
    streaming.session.end(0);
    expect(await closed).toBe(1000);
  }
});

test.each(['spdy', 'websocket'])('%s: a client that does not read holds the process back', async (transport) => {
  const socket = transport === 'spdy' ? (await streaming.openSpdy()).client.socket : (await streaming.openWebSocket()).webSocket;
  socket.pause();
  let taken = 0;
  streaming.session.stdout.on('data', (chunk: Buffer) => { taken += chunk.length; });
  streaming.session.stdout.pause();
  void (async () => {
    for (let index = 0; index < 64 && !streaming.session.stdout.destroyed; index += 1) if (!streaming.session.stdout.write(flood)) await once(streaming.session.stdout, 'drain');
  })().catch(() => undefined);
  streaming.session.stdout.resume();
  await sleep(300);
  const atRest = taken;
  await sleep(100);
  expect(taken).toBe(atRest);
  expect(atRest).toBeLessThan(32 << 20);
});
