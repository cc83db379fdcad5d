import { once } from 'node:events';
import { expect, test } from 'vitest';
import { ChannelStream, type ChannelLink } from './channel-stream.ts';

test('the last bytes of a channel hold the connection back only until they are read', async () => {
  const held = new Set<number>();
  const link: ChannelLink = { send: (_channel, _bytes, done) => { done(); }, hold: (channel) => { held.add(channel); }, release: (channel) => { held.delete(channel); } };
  const stream = new ChannelStream(0, link);
  stream.receive(Buffer.alloc(100_000));
  stream.endReading();
  expect(held).toEqual(new Set([0]));
  stream.resume();
  await once(stream, 'end');
  expect(held).toEqual(new Set());
});
