import { expect, test } from 'vitest';
import { isKind } from '../errors.ts';
import { allocateFrame, type Frame, FrameReader, frameType, headerBytes, maxPayloadBytes } from './frame.ts';

function frameOf(streamId: number, payload: string): Buffer {
  const frame = allocateFrame(frameType.response, streamId, payload.length);
  frame.write(payload, headerBytes, 'latin1');
  return frame;
}

function readInChunks(bytes: Buffer, size: number): readonly Frame[] {
  const frames: Frame[] = [];
  const reader = new FrameReader((frame) => frames.push(frame));
  for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
  return frames;
}

test('the header is ten bytes, big endian', () => {
  expect([...allocateFrame(frameType.request, 0x01_02_03_05, 3).subarray(0, headerBytes)]).toEqual([0, 0, 0, 3, 1, 2, 3, 5, 1, 0]);
});

test.each([1, 2, 7, 9, 10, 11, 13, 64, 4096])('frames survive being cut into chunks of %i bytes', (size) => {
  const sent = ['', 'a', 'x'.repeat(200), 'tail'];
  const bytes = Buffer.concat(sent.map((payload, index) => frameOf(index * 2 + 1, payload)));
  const got = readInChunks(bytes, size);
  expect(got.map((frame) => Buffer.from(frame.payload).toString('latin1'))).toEqual(sent);
  expect(got.map((frame) => frame.streamId)).toEqual([1, 3, 5, 7]);
});

test('a payload at the limit passes, one above it is refused on either side', () => {
  expect(readInChunks(allocateFrame(frameType.request, 1, maxPayloadBytes), 65_536)[0]?.payload.length).toBe(maxPayloadBytes);
  expect(() => allocateFrame(frameType.request, 1, maxPayloadBytes + 1)).toThrow(/over the limit/);
  const header = allocateFrame(frameType.request, 1, 0);
  header.writeUInt32BE(maxPayloadBytes + 1, 0);
  let thrown: unknown;
  try {
    readInChunks(header, headerBytes);
  } catch (error) {
    thrown = error;
  }
  expect(isKind(thrown, 'internal')).toBe(true);
});
