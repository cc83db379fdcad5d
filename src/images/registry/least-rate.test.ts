import { expect, test } from 'vitest';
import { atLeast, TooSlow } from './least-rate.ts';

let nowMs = 0;
const rate = { bytesPerSecond: 100, windowMs: 1000 };

/** Chunks of some bytes, each after so long. */
async function* sending(...chunks: readonly (readonly [bytes: number, afterMs: number])[]): AsyncGenerator<Uint8Array> {
  for (const [bytes, afterMs] of chunks) {
    nowMs += afterMs;
    yield new Uint8Array(bytes);
  }
}

/** Reads it all, taking so long for each chunk; the number of bytes. */
async function read(body: AsyncIterable<Uint8Array>, takesMs = 0, limit = rate): Promise<number> {
  let bytes = 0;
  for await (const chunk of atLeast(body, limit, () => nowMs)) {
    bytes += chunk.byteLength;
    nowMs += takesMs;
  }
  return bytes;
}

const times = (count: number, chunk: readonly [number, number]): readonly (readonly [number, number])[] => Array.from({ length: count }, () => chunk);

test('a sender that drips is ended, though something comes all the time', async () => {
  await expect(read(sending(...times(100, [1, 100])))).rejects.toBeInstanceOf(TooSlow);
});

test('one that was quick at first gets no credit for it later', async () => {
  await expect(read(sending([1_000_000, 1000], ...times(20, [1, 100])))).rejects.toMatchObject({ kind: 'registry' });
});

test('one that is just quick enough, begins late within the window or ends soon is left alone', async () => {
  expect(await read(sending(...times(50, [10, 100])))).toBe(500);
  expect(await read(sending([200, 999], ...times(9, [20, 100])))).toBe(380);
  expect(await read(sending(...times(9, [1, 100])))).toBe(9);
});

test('our own slowness is not its', async () => {
  expect(await read(sending(...times(100, [20, 10])), 5000)).toBe(2000);
});

test('no rate, no limit', async () => {
  expect(await read(sending(...times(100, [1, 1000])), 0, { ...rate, bytesPerSecond: 0 })).toBe(100);
});
