import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { StreamChoice } from '../../src/shim/port.ts';

export const mebibyte = 1 << 20;
export const outputs: StreamChoice = { stdin: false, stdout: true, stderr: true, tty: false };
export const everything: StreamChoice = { ...outputs, stdin: true };

export function required<Stream>(stream: Stream | undefined): Stream {
  if (stream === undefined) throw new Error('the session lacks a stream that was asked for');
  return stream;
}

export const textOf = (stream: Readable | undefined): Promise<string> => text(required(stream));

/** The number of bytes until the end, without keeping them. */
export async function count(stream: Readable): Promise<number> {
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) bytes += chunk.length;
  return bytes;
}

/** Collects what comes, for looking at before the end. */
export function collect(stream: Readable | undefined): () => string {
  let heard = '';
  required(stream).on('data', (chunk: Buffer) => {
    heard += chunk.toString();
  });
  return () => heard;
}
