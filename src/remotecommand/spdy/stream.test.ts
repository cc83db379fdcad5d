import { expect, test } from 'vitest';
import { SpdyStream, type StreamLink } from './stream.ts';

const link: StreamLink = { send: (_id, _bytes, _fin, done) => { done(); }, forget: () => undefined };

test('the last bytes of a stream hold the connection back only until they are read', async () => {
  const stream = new SpdyStream(1, new Map(), link);
  const room = stream.receive(Buffer.alloc(100_000), true);
  expect(room).toBeInstanceOf(Promise);
  stream.resume();
  await room;
  expect(stream.destroyed).toBe(false);
});
