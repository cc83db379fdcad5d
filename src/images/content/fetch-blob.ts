import type { Clock } from '../../lib/clock.ts';
import { isKind } from '../../lib/errors.ts';
import type { Descriptor } from '../../oci/manifest.ts';
import type { ImageObserver } from '../observer.ts';
import { backOff, isTransient, maxAttempts } from '../registry/backoff.ts';
import { RegistryError, remarked } from '../registry/registry-error.ts';
import type { BlobSource } from './blob-source.ts';
import type { ContentStore } from './content-store.ts';
import type { Ingest } from './ingest.ts';

export interface BlobFetch {
  readonly source: BlobSource;
  readonly content: ContentStore;
  readonly clock: Clock;
  readonly observer: ImageObserver;
  /** Told how much of the blob is here, now and then. */
  readonly onProgress: (doneBytes: number) => void;
  readonly signal: AbortSignal;
}

/**
 * Brings a blob into the content store as sealed. Broken transfers go on where they stopped; only failures in a row, with
 * no new byte between them, are counted. On failure the part that came stays for the next attempt.
 */
export async function fetchBlob(fetch: BlobFetch, descriptor: Descriptor): Promise<void> {
  const startMs = fetch.clock.monotonicMs();
  const ingest = await fetch.content.ingest(descriptor.digest, descriptor.size, fetch.source.origin);
  try {
    const resumed = ingest.offset > 0;
    const received = await transfer(fetch, descriptor, ingest);
    await finish(fetch, descriptor, ingest, resumed);
    fetch.observer.blobDownloaded(received, (fetch.clock.monotonicMs() - startMs) / 1000);
  } finally {
    await ingest.close();
  }
}

/** A part that an earlier process left may be damaged by a power cut: then, and only then, one whole download more. */
async function finish(fetch: BlobFetch, descriptor: Descriptor, ingest: Ingest, resumed: boolean): Promise<void> {
  try {
    await ingest.finish();
  } catch (error) {
    if (!resumed || !isKind(error, 'signature')) throw error;
    await transfer(fetch, descriptor, ingest);
    await ingest.finish();
  }
}

/**
 * Returns how many bytes were received. A server that cannot begin in the middle sends the start again and again, so only
 * what lies beyond all that came before is progress.
 */
async function transfer(fetch: BlobFetch, descriptor: Descriptor, ingest: Ingest): Promise<number> {
  let received = 0;
  let failures = 0;
  let furthest = ingest.offset;
  while (!ingest.isWhole) {
    try {
      for await (const bytes of receive(fetch, descriptor, ingest)) received += bytes;
      if (!ingest.isWhole) throw new RegistryError('the server ended the transfer too early', { status: 0 });
    } catch (error) {
      await ingest.flush();
      fetch.signal.throwIfAborted();
      failures = ingest.offset > furthest ? 1 : failures + 1;
      furthest = Math.max(furthest, ingest.offset);
      if (!isTransient(error) || failures >= maxAttempts) throw withCount(error, furthest, descriptor);
      await backOff(failures, error, fetch.signal);
    }
  }
  return received;
}

function withCount(error: unknown, came: number, { digest, size }: Descriptor): unknown {
  return error instanceof RegistryError ? remarked(error, `${String(came)} of the ${String(size)} bytes of blob ${digest} came`) : error;
}

/** One request; yields the size of each chunk that is safely appended. */
async function* receive({ source, onProgress, signal }: BlobFetch, descriptor: Descriptor, ingest: Ingest): AsyncGenerator<number> {
  const { offset, body } = await source.open(descriptor, ingest.offset, signal);
  if (offset !== ingest.offset) await ingest.restart();
  for await (const chunk of body) {
    await ingest.append(chunk);
    onProgress(ingest.offset);
    yield chunk.byteLength;
  }
}
