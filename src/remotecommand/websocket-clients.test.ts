import { expect, test } from 'vitest';
import { channel, eventually, streamingFixture, terminal } from './testing/streaming-fixture.ts';

const streaming = streamingFixture();

test('input, its end, output and exit of a command go over WebSocket v5', async () => {
  const { webSocket, messages, closed } = await streaming.openWebSocket();
  expect(webSocket.protocol).toBe('v5.channel.k8s.io');
  webSocket.send(Buffer.from('\0in'));
  webSocket.send(Buffer.of(255, 0));
  expect(Buffer.concat(await streaming.session.stdin.toArray()).toString()).toBe('in');
  streaming.session.stdout.write('out');
  streaming.session.stderr.write('err');
  streaming.session.end(137);
  expect(await closed).toBe(1000);
  expect(messages[0]).toEqual(Buffer.of(1));
  expect([1, 2].map((number) => channel(messages, number))).toEqual(['out', 'err']);
  expect(JSON.parse(channel(messages, 3))).toMatchObject({ details: { causes: [{ reason: 'ExitCode', message: '137' }] } });
  expect(streaming.session.closed).toBe(1);
});

test('WebSocket v4 has no end of input, and resizes', async () => {
  const { webSocket } = await streaming.openWebSocket(['v4.channel.k8s.io'], streaming.execUrl(terminal));
  webSocket.send(Buffer.of(255, 0));
  webSocket.send(Buffer.from('\0x'));
  webSocket.send(Buffer.from('\u0004{"Width":7,"Height":8}'));
  await eventually(() => { expect(streaming.session.sizes).toEqual([{ columns: 7, rows: 8 }]); });
  expect(String(streaming.session.stdin.read())).toBe('x');
  expect(streaming.session.stdin.readableEnded).toBe(false);
  webSocket.close();
  await eventually(() => { expect(streaming.session.closed).toBe(1); });
});

test('base64 channels carry the same as text', async () => {
  const { webSocket, messages, closed } = await streaming.openWebSocket(['v4.base64.channel.k8s.io']);
  webSocket.send(`0${Buffer.from('in').toString('base64')}`);
  await eventually(() => { expect(String(streaming.session.stdin.read() ?? '')).toBe('in'); });
  streaming.session.stdout.write('out');
  streaming.session.end(0);
  await closed;
  expect(messages.map(String)).toEqual(['1', `1${Buffer.from('out').toString('base64')}`, `3${Buffer.from('{"metadata":{},"status":"Success"}').toString('base64')}`]);
});

test('a WebSocket client that offers no protocol gets the first version', async () => {
  const { webSocket, messages, closed } = await streaming.openWebSocket([]);
  expect(webSocket.protocol).toBe('');
  streaming.session.end(5);
  await closed;
  expect(channel(messages, 3)).toBe('command terminated with non-zero exit code: exit status 5');
});

test.each([
  ['a close of no channel', Buffer.of(255, 9), 1002],
  ['a close without a channel', Buffer.of(255), 1002],
  ['a message of 5 MB', Buffer.alloc(5 << 20), 1009],
])('WebSocket: %s ends the connection and the command', async (_name, message, code) => {
  const { webSocket, closed } = await streaming.openWebSocket();
  webSocket.send(message);
  expect(await closed).toBe(code);
  await eventually(() => { expect(streaming.session.closed).toBe(1); });
});
