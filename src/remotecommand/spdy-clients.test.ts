import { expect, test } from 'vitest';
import { BerthError } from '../lib/errors.ts';
import { frameType } from './spdy/frames.ts';
import { SpdyClient } from './testing/spdy-client.ts';
import { all, eventually, socketClosed, streamingFixture, terminal } from './testing/streaming-fixture.ts';

const streaming = streamingFixture();

test('input, output and exit of a command go over SPDY', async () => {
  const { client, ids } = await streaming.openSpdy();
  expect(streaming.asked).toEqual([{ containerId: 'c1', command: ['sh'], streams: all }]);
  client.send(ids.stdin, 'in ');
  client.send(ids.stdin, 'and end', true);
  expect(Buffer.concat(await streaming.session.stdin.toArray()).toString()).toBe('in and end');
  streaming.session.stdout.write('out');
  streaming.session.stderr.write('err');
  streaming.session.end(42);
  await socketClosed(client);
  expect([client.received(ids.stdout), client.received(ids.stderr)]).toEqual(['out', 'err']);
  expect(JSON.parse(client.received(ids.error))).toMatchObject({ status: 'Failure', reason: 'NonZeroExitCode', details: { causes: [{ reason: 'ExitCode', message: '42' }] } });
  expect(Object.values(ids).slice(0, 4).every((id) => client.ended(id))).toBe(true);
  expect(client.control.at(-1)?.type).toBe(frameType.goAway);
  expect(streaming.session.closed).toBe(1);
});

test.each([
  ['v4.channel.k8s.io', 0, '{"metadata":{},"status":"Success"}'],
  ['v3.channel.k8s.io', 0, ''],
  ['v2.channel.k8s.io', 0, ''],
  ['channel.k8s.io', 7, 'command terminated with non-zero exit code: exit status 7'],
  ['v9.channel.k8s.io, v3.channel.k8s.io', 7, 'command terminated with non-zero exit code: exit status 7'],
])('%s tells the exit code %i its way', async (version, code, text) => {
  const { client, ids } = await streaming.openSpdy({ ...all, stdin: false }, version);
  streaming.session.end(code);
  await socketClosed(client);
  expect(client.received(ids.error)).toBe(text);
});

test('terminals are resized', async () => {
  const { client, ids } = await streaming.openSpdy(terminal);
  client.send(ids.resize, '{"Width":80,"Height":24}{"Wid');
  client.send(ids.resize, 'th":100,"Height":50}');
  await eventually(() => { expect(streaming.session.sizes).toEqual([{ columns: 80, rows: 24 }, { columns: 100, rows: 50 }]); });
});

test('a command that cannot start says why, and of what is berth’s own fault only the log tells', async () => {
  streaming.open = () => Promise.reject(new BerthError('not-found', 'no program /x in container c1', { hint: 'look' }));
  const first = await streaming.openSpdy({ ...all, stdin: false });
  await socketClosed(first.client);
  expect(JSON.parse(first.client.received(first.ids.error))).toMatchObject({ status: 'Failure', message: 'Internal error occurred: no program /x in container c1; look' });
  streaming.open = () => Promise.reject(new Error('secret detail'));
  streaming.asked = [];
  const second = await streaming.openSpdy({ ...all, stdin: false });
  await socketClosed(second.client);
  expect(second.client.received(second.ids.error)).not.toContain('secret');
  expect(streaming.logged.join('')).toContain('secret detail');
});

test('an attachment ends with success, whatever the container ends with', async () => {
  const { client, ids } = await streaming.openSpdy(all, undefined, streaming.server.attach({ containerId: 'c1', streams: all }));
  expect(streaming.asked).toEqual([{ id: 'c1', streams: all }]);
  streaming.session.end(3);
  await socketClosed(client);
  expect(JSON.parse(client.received(ids.error))).toMatchObject({ status: 'Success' });
});

test('streams that do not belong to the command are reset, and the others go on', async () => {
  const { client, ids } = await streaming.openSpdy();
  const unknown = client.stream({ streamtype: 'bogus' });
  const second = client.stream({ streamtype: 'stdout' });
  await eventually(() => { expect(client.control.filter(({ type }) => type === frameType.rstStream).map(({ id }) => id)).toEqual([unknown, second]); });
  client.ping(99);
  await eventually(() => { expect(client.control).toContainEqual({ type: frameType.ping, id: 99 }); });
  streaming.session.stdout.write('still here');
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
  const { client } = await streaming.openSpdy();
  client.socket.write(bytes);
  await socketClosed(client);
  expect(client.control.at(-1)?.type).toBe(frameType.goAway);
  await eventually(() => { expect(streaming.session.closed).toBe(1); });
});

test('a peer that opens streams without end is refused', async () => {
  const client = await SpdyClient.open(streaming.server.portForward({ podId: 'p1', ports: [] }), { 'X-Stream-Protocol-Version': 'portforward.k8s.io' });
  for (let index = 0; index < 600; index += 1) client.stream({ streamtype: 'error', port: '80', requestid: String(index) });
  await eventually(() => { expect(client.control.filter(({ type }) => type === frameType.rstStream)).toHaveLength(600 - 512); });
});
