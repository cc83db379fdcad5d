import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BerthError } from '../../lib/errors.ts';
import type { Digest } from '../../lib/ids.ts';
import { digestOf, hexOf, isDigest } from '../../oci/digest.ts';
import { Ingest } from './ingest.ts';
import { storageError } from './storage-error.ts';

/**
 * Content by digest, under `<root>/blobs/sha256/<hex>`, and what is on its way there under `<root>/ingest/<hex>`.
 *
 *   (absent) ──ingest──▶ partial ──seal──▶ sealed ──publish──▶ published
 *
 * Sealed content is verified and whole, but only for this process: a layer that is unpacked and dropped at once is spared
 * the wait for the disk. Published content survives a power cut.
 */
export class ContentStore {
  readonly root: string;
  readonly #blobs: string;
  readonly #ingests: string;
  readonly #sealed = new Set<Digest>();

  constructor(root: string) {
    this.root = root;
    this.#blobs = join(root, 'blobs', 'sha256');
    this.#ingests = join(root, 'ingest');
  }

  /** Makes the directories. */
  async open(): Promise<void> {
    await mkdir(this.#blobs, { recursive: true, mode: 0o700 });
    await mkdir(this.#ingests, { recursive: true, mode: 0o700 });
  }

  /** The file with the whole content, if it is here. */
  async locate(digest: Digest): Promise<string | undefined> {
    if (this.#sealed.has(digest)) return this.#ingestPath(digest);
    return (await exists(this.#blobPath(digest))) ? this.#blobPath(digest) : undefined;
  }

  /** Small content, verified again; undefined when it is absent. What rotted on disk is removed and counts as absent. */
  async read(digest: Digest): Promise<Uint8Array | undefined> {
    const bytes = await readFile(this.#blobPath(digest)).catch(() => undefined);
    if (bytes === undefined || digestOf(bytes) === digest) return bytes;
    await this.remove(digest);
    return undefined;
  }

  /** Writes small content durably. */
  async put(digest: Digest, bytes: Uint8Array): Promise<void> {
    if (await exists(this.#blobPath(digest))) return;
    const ingest = await this.ingest(digest, bytes.byteLength);
    try {
      await ingest.restart();
      await ingest.append(bytes);
      await ingest.finish();
    } finally {
      await ingest.close();
    }
    await this.publish(digest);
  }

  /** Opens what is there of a blob for appending. One writer a digest: callers hold the digest's lock. */
  async ingest(digest: Digest, size: number): Promise<Ingest> {
    this.#sealed.delete(digest);
    return Ingest.open(this.#ingestPath(digest), { digest, size, onSealed: () => this.#sealed.add(digest) });
  }

  /** Makes sealed content durable. */
  async publish(digest: Digest): Promise<void> {
    if (!this.#sealed.has(digest)) {
      if (await exists(this.#blobPath(digest))) return;
      throw new BerthError('internal', `blob ${digest} is not complete`);
    }
    try {
      await sync(this.#ingestPath(digest));
      await rename(this.#ingestPath(digest), this.#blobPath(digest));
      await sync(this.#blobs);
    } catch (error) {
      throw storageError(error, `keep blob ${digest}`);
    }
    this.#sealed.delete(digest);
  }

  /** Removes the content in every state; absent is success. */
  async remove(digest: Digest): Promise<void> {
    this.#sealed.delete(digest);
    await rm(this.#blobPath(digest), { force: true });
    await rm(this.#ingestPath(digest), { force: true });
  }

  /** Digests of all content in any state. */
  async list(): Promise<readonly Digest[]> {
    const names = [...(await readdir(this.#blobs)), ...(await readdir(this.#ingests))];
    return [...new Set(names.map((name) => `sha256:${name}`))].filter((name) => isDigest(name));
  }

  #blobPath(digest: Digest): string {
    return join(this.#blobs, hexOf(digest));
  }

  #ingestPath(digest: Digest): string {
    return join(this.#ingests, hexOf(digest));
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
