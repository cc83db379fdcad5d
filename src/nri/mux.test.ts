import { duplexPair, type Duplex } from 'node:stream';
import { expect, test, vi } from 'vitest';
import { Mux } from './mux.ts';

function collect(stream: Duplex): () => Buffer {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks);
}

test('each connection gets what was written to it, in order', async () => {
  const [left, right] = duplexPair();
  const [a, b] = [new Mux(left, [1, 2]), new Mux(right, [1, 2])];
  const [one, two] = [collect(b.connection(1)), collect(b.connection(2))];
  a.connection(1).write('he');
  a.connection(2).write('other');
  a.connection(1).write('llo');
  await vi.waitFor(() => { expect([one().toString(), two().toString()]).toEqual(['hello', 'other']); }, 10_000);
});

test('a frame is the number of its connection, its length and its bytes; a long message begins with 4096 of them', async () => {
  const [left, right] = duplexPair();
  const raw = collect(right);
  new Mux(left, [7]).connection(7).write(Buffer.alloc(10_000, 'x'));
  await vi.waitFor(() => { expect(raw()).toHaveLength(10_016); }, 10_000);
  const header = (at: number): number[] => [raw().readUInt32BE(at), raw().readUInt32BE(at + 4)];
  expect([header(0), header(8 + 4096)]).toEqual([[7, 4096], [7, 5904]]);
});

test('frames are put together however they arrive', async () => {
  const [left, right] = duplexPair();
  const got = collect(new Mux(right, [1]).connection(1));
  const bytes = Buffer.from([0, 0, 0, 1, 0, 0, 0, 2, 65, 66, 0, 0, 0, 9, 0, 0, 0, 1, 88, 0, 0, 0, 1, 0, 0, 0, 1, 67]);
  for (const byte of bytes) left.write(Buffer.from([byte]));
  await vi.waitFor(() => { expect(got().toString()).toBe('ABC'); }, 10_000);
});

test('a frame longer than any message ends everything', async () => {
  const [left, right] = duplexPair();
  const mux = new Mux(right, [1]);
  left.on('error', () => undefined);
  left.write(Buffer.from([0, 0, 0, 1, 255, 255, 255, 255]));
  await vi.waitFor(() => { expect([right.destroyed, mux.connection(1).destroyed]).toEqual([true, true]); }, 10_000);
});

test('when the socket ends, so do its connections', async () => {
  const [left, right] = duplexPair();
  const mux = new Mux(right, [1]);
  left.destroy();
  right.destroy();
  await vi.waitFor(() => { expect(mux.connection(1).destroyed).toBe(true); }, 10_000);
});
