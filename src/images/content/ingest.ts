import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { BerthError } from '../../lib/errors.ts';
import type { Digest } from '../../lib/ids.ts';
import { storageError } from './storage-error.ts';

export interface IngestTarget {
  readonly digest: Digest;
  /** Bytes of the whole. */
  readonly size: number;
  readonly onSealed: () => Promise<void>;
}

/** Chunks from a socket are small; writing them one by one would cost a thread hop each. */
const batchBytes = 1024 * 1024;

/** A blob being written. The hash runs along, so that finishing costs nothing. */
export class Ingest {
  readonly #handle: FileHandle;
  readonly #target: IngestTarget;
  #hash: Hash;
  #batch: Uint8Array[] = [];
  #batched = 0;
  #written = 0;

  private constructor(handle: FileHandle, target: IngestTarget) {
    this.#handle = handle;
    this.#target = target;
    this.#hash = createHash('sha256');
  }

  /** Opens the file and hashes what an earlier attempt left in it. */
  static async open(path: string, target: IngestTarget): Promise<Ingest> {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
    try {
      const ingest = new Ingest(await open(path, flags, 0o600), target);
      await ingest.#readBack();
      return ingest;
    } catch (error) {
      throw storageError(error, `open the download of ${target.digest}`);
    }
  }

  /** Bytes that are there already; the next ones go after them. */
  get offset(): number {
    return this.#written + this.#batched;
  }

  get isWhole(): boolean {
    return this.offset === this.#target.size;
  }

  /** Fails `signature` on more bytes than the blob has. */
  async append(chunk: Uint8Array): Promise<void> {
    const { digest, size } = this.#target;
    if (this.offset + chunk.byteLength > size) throw new BerthError('signature', `blob ${digest} is longer than the ${String(size)} bytes its manifest says`);
    this.#hash.update(chunk);
    this.#batch.push(chunk);
    this.#batched += chunk.byteLength;
    if (this.#batched >= batchBytes) await this.flush();
  }

  /** Hands what was appended to the kernel, where it survives the end of this process. */
  async flush(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    try {
      await writeAll(this.#handle, batch, this.#written);
    } catch (error) {
      throw storageError(error, `write blob ${this.#target.digest}`);
    }
    this.#written += this.#batched;
    this.#batched = 0;
  }

  /** Throws away what is there. */
  async restart(): Promise<void> {
    await this.#handle.truncate(0);
    this.#hash = createHash('sha256');
    this.#batch = [];
    this.#batched = 0;
    this.#written = 0;
  }

  /** Seals the blob if it is whole and has its digest, else empties it and fails `signature`. */
  async finish(): Promise<void> {
    await this.flush();
    const { digest, onSealed } = this.#target;
    const found = `sha256:${this.#hash.digest('hex')}`;
    if (found === digest) {
      await onSealed();
      return;
    }
    await this.restart();
    throw new BerthError('signature', `blob ${digest} arrived with digest ${found}`);
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  async #readBack(): Promise<void> {
    const { size } = await this.#handle.stat();
    if (size > this.#target.size) {
      await this.restart();
      return;
    }
    for await (const chunk of this.#handle.createReadStream({ autoClose: false, start: 0, highWaterMark: batchBytes })) {
      this.#hash.update(chunk as Uint8Array);
      this.#written += (chunk as Uint8Array).byteLength;
    }
  }
}

async function writeAll(handle: FileHandle, batch: readonly Uint8Array[], position: number): Promise<void> {
  let rest = batch;
  let at = position;
  while (rest.length > 0) {
    const { bytesWritten } = await handle.writev(rest, at);
    at += bytesWritten;
    rest = skip(rest, bytesWritten);
  }
}

/** What is left of the chunks after their first `count` bytes. */
function skip(chunks: readonly Uint8Array[], count: number): readonly Uint8Array[] {
  let left = count;
  const index = chunks.findIndex((chunk) => {
    if (chunk.byteLength > left) return true;
    left -= chunk.byteLength;
    return false;
  });
  const first = chunks[index];
  return first === undefined ? [] : [first.subarray(left), ...chunks.slice(index + 1)];
}
