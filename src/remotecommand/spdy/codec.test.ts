import { constants, createDeflate, deflateSync, inflateSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { dictionary, dictionaryId } from './dictionary.ts';
import { FrameDecoder, type Frame } from './frame-decoder.ts';
import { controlFrame, dataHeader, frameType } from './frames.ts';
import { HeaderReader, HeaderWriter } from './headers.ts';
import { SpdyError } from './spdy-error.ts';

const syncFlush = { dictionary, flush: constants.Z_SYNC_FLUSH, level: 9 };

/** Header blocks as Go's spdystream makes them: one deflate stream, flushed after each. */
async function deflated(plain: readonly Buffer[]): Promise<readonly Buffer[]> {
  const stream = createDeflate(syncFlush);
  const blocks: Buffer[] = [];
  for (const block of plain) {
    await new Promise<void>((resolve) => { stream.write(block, () => { resolve(); }); });
    blocks.push(stream.read() as Buffer);
  }
  return blocks;
}

function plainBlock(headers: Readonly<Record<string, string>>): Buffer {
  const number = (value: number): Buffer => Buffer.from([0, 0, value >>> 8, value]);
  const entries = Object.entries(headers);
  return Buffer.concat([number(entries.length), ...entries.flat().map((text) => Buffer.concat([number(text.length), Buffer.from(text)]))]);
}

test('the dictionary is the one that zlib names by its checksum', () => {
  expect(dictionary).toHaveLength(1423);
  expect(deflateSync('x', { dictionary }).subarray(2, 6)).toEqual(dictionaryId);
});

test('header blocks of one connection are read one after another', async () => {
  const all = [{ streamtype: 'error' }, { Streamtype: 'data', port: '80', requestid: '0' }, {}, { streamtype: 'data', port: '80', requestid: '1' }];
  const reader = new HeaderReader();
  const blocks = await deflated(all.map(plainBlock));
  expect(blocks.map((block) => Object.fromEntries(reader.read(block)))).toEqual([
    { streamtype: 'error' },
    { streamtype: 'data', port: '80', requestid: '0' },
    {},
    { streamtype: 'data', port: '80', requestid: '1' },
  ]);
});

test('many blocks stay within the window that deflate looks back', async () => {
  const texts = Array.from({ length: 200 }, (_, index) => `${index}${'abcdefghij'.repeat(60)}`);
  const blocks = await deflated(texts.map((text) => plainBlock({ text })));
  const reader = new HeaderReader();
  expect(blocks.map((block) => reader.read(block).get('text'))).toEqual(texts);
});

test('what is written reads as one zlib stream with the dictionary', () => {
  const writer = new HeaderWriter();
  const first = writer.write(new Map());
  const second = writer.write(new Map([['a', 'b']]));
  const plain = inflateSync(Buffer.concat([first, second]), { dictionary, finishFlush: constants.Z_SYNC_FLUSH });
  expect(plain).toEqual(Buffer.concat([plainBlock({}), plainBlock({ a: 'b' })]));
});

test.each([
  ['a bomb', deflateSync(Buffer.alloc(1 << 24), syncFlush)],
  ['garbage', Buffer.from('ffffffffffffffffffff', 'hex')],
  ['another dictionary', deflateSync(plainBlock({}), { ...syncFlush, dictionary: Buffer.from('other') })],
  ['no dictionary', deflateSync(plainBlock({}))],
  ['a cut block', deflateSync(plainBlock({ a: 'b' }).subarray(0, -1), syncFlush)],
  ['nothing', Buffer.alloc(0)],
  ['more headers than bytes', deflateSync(Buffer.from('ffffffff', 'hex'), syncFlush)],
  ['a longer text than bytes', deflateSync(Buffer.from('00000001ffffffff', 'hex'), syncFlush)],
])('%s is no header block', (_name, block) => {
  expect(() => new HeaderReader().read(block)).toThrow(SpdyError);
});

const sent = Buffer.concat([
  controlFrame(frameType.ping, Buffer.from([0, 0, 0, 1])),
  dataHeader(1, 5, false),
  Buffer.from('hello'),
  dataHeader(3, 0, true),
  controlFrame(frameType.settings, Buffer.alloc(0)),
  dataHeader(1, 2, true),
  Buffer.from('!!'),
]);

/** Joins the pieces of data frames, which depend on how the bytes were cut. */
function joined(frames: readonly Frame[]): readonly string[] {
  const lines: string[] = [];
  const data = new Map<number, string>();
  for (const frame of frames) {
    if (frame.kind === 'control') lines.push(`control ${frame.type} ${frame.payload.toString('hex')}`);
    else {
      data.set(frame.streamId, (data.get(frame.streamId) ?? '') + frame.bytes.toString());
      if (frame.fin) lines.push(`fin ${frame.streamId} "${data.get(frame.streamId) ?? ''}"`);
    }
  }
  return lines;
}

test.each(Array.from({ length: sent.length }, (_, index) => index + 1))('frames are the same when they come in pieces of %i bytes', (size) => {
  const decoder = new FrameDecoder();
  const frames: Frame[] = [];
  for (let at = 0; at < sent.length; at += size) frames.push(...decoder.feed(sent.subarray(at, at + size)));
  expect(joined(frames)).toEqual(['control 6 00000001', 'fin 3 ""', 'control 4 ', 'fin 1 "hello!!"']);
});

test('a control frame that is long, or of another version, is refused by its header', () => {
  expect(() => [...new FrameDecoder().feed(Buffer.from('8003000100ffffff', 'hex'))]).toThrow('a control frame of 16777215 bytes is too long');
  expect(() => [...new FrameDecoder().feed(Buffer.from('8002000100000001', 'hex'))]).toThrow('version 2 of SPDY');
});
