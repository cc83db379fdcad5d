import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BerthError } from '../../lib/errors.ts';
import type { Digest } from '../../lib/ids.ts';
import { digestOf, hexOf, isDigest } from '../../oci/digest.ts';
import { Ingest } from './ingest.ts';
import { storageError } from './storage-error.ts';

/** The origin of what is put as a whole; no registry has this name. */
const noHost = '(put)';

/**
 * Content by digest, under `<root>/blobs/sha256/<hex>`, and what is on its way there under `<root>/ingest/<hex>-<origin>`:
 * a server that is slow, on purpose perhaps, must not hold up those who get the same content from another.
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
  /** The files of what is sealed. */
  readonly #sealed = new Map<Digest, string>();

  constructor(root: string) {
    this.root = root;
    this.#blobs = join(root, 'blobs', 'sha256');
    this.#ingests = join(root, 'ingest');
  }

  /** Makes the directories, and removes parts of what is published: the last process may have died before it did. */
  async open(): Promise<void> {
    await this.#makeDirectories();
    const published = new Set(await readdir(this.#blobs));
    await this.#removeParts((hex) => published.has(hex));
  }

  /** The file with the whole content, if it is here. */
  async locate(digest: Digest): Promise<string | undefined> {
    const sealed = this.#sealed.get(digest);
    if (sealed !== undefined && (await exists(sealed))) return sealed;
    return (await exists(this.#blobPath(digest))) ? this.#blobPath(digest) : undefined;
  }

  /** Small content, verified again; undefined when it is absent. What rotted on disk is removed and counts as absent. */
  async read(digest: Digest): Promise<Uint8Array | undefined> {
    const bytes = await readFile(this.#blobPath(digest)).catch(() => undefined);
    if (bytes === undefined || digestOf(bytes) === digest) return bytes;
    await this.remove(digest);
    return undefined;
  }

  /** Looks whether content is what its name says, and removes it if not. Returns whether it was. */
  async verify(digest: Digest): Promise<boolean> {
    const path = await this.locate(digest);
    if (path === undefined) return false;
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Uint8Array);
    if (`sha256:${hash.digest('hex')}` === digest) return true;
    await this.remove(digest);
    return false;
  }

  /** Writes small content durably. */
  async put(digest: Digest, bytes: Uint8Array): Promise<void> {
    if (await exists(this.#blobPath(digest))) return;
    const ingest = await this.ingest(digest, bytes.byteLength, noHost);
    try {
      await ingest.restart();
      await ingest.append(bytes);
      await ingest.finish();
    } finally {
      await ingest.close();
    }
    await this.publish(digest);
  }

  /** Opens what is there of a blob from one origin for appending. One writer a digest and origin: callers hold a lock on the two. */
  async ingest(digest: Digest, size: number, origin: string): Promise<Ingest> {
    await this.#makeDirectories();
    const path = this.#ingestPath(digest, origin);
    if (this.#sealed.get(digest) === path) this.#sealed.delete(digest);
    await this.#adopt(digest, path);
    return Ingest.open(path, { digest, size, onSealed: () => this.#seal(digest, path) });
  }

  /** Makes sealed content durable. */
  async publish(digest: Digest): Promise<void> {
    const sealed = this.#sealed.get(digest);
    if (sealed === undefined) {
      if (await exists(this.#blobPath(digest))) return;
      throw new BerthError('internal', `blob ${digest} is not complete`);
    }
    try {
      await this.#makeDirectories();
      await sync(sealed);
      await rename(sealed, this.#blobPath(digest));
      await sync(this.#blobs);
    } catch (error) {
      throw storageError(error, `keep blob ${digest}`);
    }
    this.#sealed.delete(digest);
    await this.#removeParts((hex) => hex === hexOf(digest));
  }

  /** Removes the content in every state; absent is success. */
  async remove(digest: Digest): Promise<void> {
    this.#sealed.delete(digest);
    await rm(this.#blobPath(digest), { force: true });
    await this.#removeParts((hex) => hex === hexOf(digest));
  }

  /** Digests of all content in any state. */
  async list(): Promise<readonly Digest[]> {
    const names = [...(await namesIn(this.#blobs)), ...(await namesIn(this.#ingests)).map(hexOfPart)];
    return [...new Set(names.map((name) => `sha256:${name}`))].filter((name) => isDigest(name));
  }

  /** The first that is whole counts; what another origin brings after it is of no use any more. */
  async #seal(digest: Digest, path: string): Promise<void> {
    if ((await this.locate(digest)) !== undefined) await rm(path, { force: true });
    else this.#sealed.set(digest, path);
  }

  /** Earlier versions kept one part of a digest, whoever sent it, and named it by the digest alone. */
  async #adopt(digest: Digest, path: string): Promise<void> {
    if (await exists(path)) return;
    await rename(join(this.#ingests, hexOf(digest)), path).catch(() => undefined);
  }

  async #removeParts(isOf: (hex: string) => boolean): Promise<void> {
    const names = (await namesIn(this.#ingests)).filter((name) => isOf(hexOfPart(name)));
    await Promise.all(names.map((name) => rm(join(this.#ingests, name), { force: true })));
  }

  /** A person who makes room on a disk may delete them while we run. */
  async #makeDirectories(): Promise<void> {
    await mkdir(this.#blobs, { recursive: true, mode: 0o700 });
    await mkdir(this.#ingests, { recursive: true, mode: 0o700 });
  }

  #blobPath(digest: Digest): string {
    return join(this.#blobs, hexOf(digest));
  }

  #ingestPath(digest: Digest, origin: string): string {
    return join(this.#ingests, `${hexOf(digest)}-${hexOf(digestOf(origin)).slice(0, 16)}`);
  }
}

const hexOfPart = (name: string): string => name.split('-')[0] ?? name;

async function namesIn(directory: string): Promise<readonly string[]> {
  return (await exists(directory)) ? readdir(directory) : [];
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
