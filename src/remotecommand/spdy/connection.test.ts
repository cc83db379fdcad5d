import { duplexPair, type Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { createLogger } from '../../telemetry/log.ts';
import { fakeIdling } from '../testing/fake-idling.ts';
import { SpdyConnection } from './connection.ts';
import { controlFrame, dataHeader, frameType, ping } from './frames.ts';
import { FrameDecoder } from './frame-decoder.ts';
import { HeaderWriter } from './headers.ts';

const log = createLogger({ level: 'error', format: 'json' }, () => undefined);
const idleTimeoutMs = 600_000;
let connection: SpdyConnection | undefined;
afterEach(() => {
  connection?.destroy();
  vi.useRealTimers();
});

function peer(): Duplex {
  const [ours, theirs] = duplexPair();
  connection = new SpdyConnection(ours, { log, idleTimeoutMs, accept: () => false });
  return theirs;
}

const headers = new HeaderWriter();
const streamOf = (id: number, writer = headers): Buffer => {
  const fixed = Buffer.alloc(10);
  fixed.writeUInt32BE(id);
  return controlFrame(frameType.synStream, Buffer.concat([fixed, writer.write(new Map([['streamtype', 'bogus']]))]));
};

test.each([
  ['pings', (index: number) => ping(2 * index + 1)],
  ['streams that are refused', (index: number) => streamOf(2 * index + 1)],
])('a peer that sends %s and reads no answers is not read any further', async (_name, frame) => {
  const theirs = peer();
  const many = 40_000;
  let sent = 0;
  let taken = 0;
  for (; sent < many && sent - taken < 20_000; sent += 1) {
    theirs.write(frame(sent), () => { taken += 1; });
    if (sent % 100 === 0) await turn();
  }
  expect(sent).toBeLessThan(many);
  // Reading lets it go on.
  const decoder = new FrameDecoder();
  let answers = 0;
  theirs.on('data', (chunk: Buffer) => { for (const _ of decoder.feed(chunk)) answers += 1; });
  await expect.poll(() => answers, { timeout: 10_000 }).toBeGreaterThanOrEqual(sent);
});

test('a peer that is slow to take what it was told has the idle timeout, and does not prolong it by talking', async () => {
  fakeIdling();
  const theirs = peer();
  theirs.write(streamOf(1, new HeaderWriter()));
  await turn();
  theirs.resume();
  let finished = false;
  void connection?.finish().then(() => { finished = true; });
  await vi.advanceTimersByTimeAsync(idleTimeoutMs - 1000);
  expect(finished).toBe(false);
  theirs.write(Buffer.concat([dataHeader(1, 5, false), Buffer.from('words')]));
  await vi.advanceTimersByTimeAsync(20_000);
  expect(finished).toBe(true);
});
