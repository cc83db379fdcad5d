import { pipeline, Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import type { HttpResponse } from './http-transport.ts';

/** Asks for bytes as they are: without it a server may pack them as it likes (RFC 9110, section 12.5.3). */
export const asTheyAre = { 'accept-encoding': 'identity' } as const;

/** How the server packed what it sends, although it was asked not to; first things first. */
export function codingsOf(response: HttpResponse): readonly string[] {
  const codings = response.headers('content-encoding').flatMap((header) => header.toLowerCase().split(','));
  return codings.map((coding) => coding.trim()).filter((coding) => coding !== '' && coding !== 'identity');
}

/** What the server had before it packed it. Throws for a coding that nobody knows. */
export function unpacked(body: AsyncIterable<Uint8Array>, codings: readonly string[]): AsyncIterable<Uint8Array> {
  // All of them first: nothing flows that nobody would read.
  const decoders = codings.toReversed().map(decoder);
  // Whoever reads the last one hears of every failure.
  return decoders.reduce<AsyncIterable<Uint8Array>>((packed, next) => pipeline(Readable.from(packed), next, () => undefined), body);
}

function decoder(coding: string): ReturnType<typeof createGunzip> {
  if (coding === 'gzip' || coding === 'x-gzip') return createGunzip();
  if (coding === 'deflate') return createInflate();
  if (coding === 'zstd') return createZstdDecompress();
  if (coding === 'br') return createBrotliDecompress();
  throw new Error(`its answer has the unknown content coding "${coding.slice(0, 40)}"`);
}
