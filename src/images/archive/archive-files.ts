import { createReadStream } from 'node:fs';
import { stat, type FileHandle } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { BerthError } from '../../lib/errors.ts';
import { readTarIndex, type TarMember } from '../../lib/tar-index.ts';
import { openUnpacked } from './unpacked-archive.ts';

export interface ArchiveFile {
  readonly size: number;
  stream(offset: number): AsyncIterable<Uint8Array>;
}

/** The files of an image archive, packed or not. */
export interface ArchiveFiles {
  /** `undefined` when there is no such file. */
  find(name: string): Promise<ArchiveFile | undefined>;
  close(): Promise<void>;
}

const maxLinks = 8;
const chunkBytes = 1024 * 1024;

/** Opens a tar file, which may be packed with gzip or zstd, or a directory. `scratch` has room for what is in a packed one. */
export async function openArchive(path: string, scratch: string, signal: AbortSignal): Promise<ArchiveFiles> {
  const stats = await stat(path).catch((cause: unknown) => {
    throw new BerthError('not-found', `cannot read the image archive ${path}`, { cause });
  });
  return stats.isDirectory() ? new DirectoryFiles(path) : TarFiles.open(await openUnpacked(path, scratch, signal), path);
}

class DirectoryFiles implements ArchiveFiles {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async find(name: string): Promise<ArchiveFile | undefined> {
    const clean = posix.normalize(name);
    if (clean.startsWith('../') || posix.isAbsolute(clean)) return undefined;
    const path = join(this.#root, clean);
    const stats = await stat(path).catch(() => undefined);
    if (stats?.isFile() !== true) return undefined;
    return { size: stats.size, stream: (offset) => createReadStream(path, { start: offset, highWaterMark: chunkBytes }) as AsyncIterable<Uint8Array> };
  }

  async close(): Promise<void> {
    // Files are opened one by one.
  }
}

class TarFiles implements ArchiveFiles {
  readonly #handle: FileHandle;
  readonly #members: ReadonlyMap<string, TarMember>;

  private constructor(handle: FileHandle, members: ReadonlyMap<string, TarMember>) {
    this.#handle = handle;
    this.#members = members;
  }

  static async open(handle: FileHandle, path: string): Promise<TarFiles> {
    try {
      return new TarFiles(handle, await readTarIndex(handle, `the image archive ${path}`));
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  async find(name: string): Promise<ArchiveFile | undefined> {
    const member = this.#resolve(posix.normalize(name), maxLinks);
    if (member === undefined) return undefined;
    const { offset: start, size } = member;
    return { size, stream: (offset) => this.#stream(start + offset, size - offset) };
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  /** `docker save` of old stores a layer that occurs twice as a link to the first. */
  #resolve(name: string, linksLeft: number): TarMember | undefined {
    const member = this.#members.get(name);
    if (member?.type === 'file') return member;
    if (linksLeft === 0 || member === undefined) return undefined;
    if (member.type === 'hardlink') return this.#resolve(posix.normalize(member.linkTo), linksLeft - 1);
    return member.type === 'symlink' ? this.#resolve(posix.join(posix.dirname(name), member.linkTo), linksLeft - 1) : undefined;
  }

  async *#stream(start: number, length: number): AsyncGenerator<Uint8Array> {
    for (let done = 0; done < length; ) {
      const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, length - done));
      const { bytesRead } = await this.#handle.read(chunk, 0, chunk.byteLength, start + done);
      if (bytesRead === 0) throw new BerthError('invalid', 'the image archive was cut while it was read');
      done += bytesRead;
      yield chunk.subarray(0, bytesRead);
    }
  }
}

/** Reads a small file whole; fails `invalid` when it is absent or larger than `limit`. */
export async function readSmall(files: ArchiveFiles, name: string, limit: number): Promise<Uint8Array> {
  const file = await files.find(name);
  if (file === undefined) throw new BerthError('invalid', `the image archive has no ${name}`);
  if (file.size > limit) throw new BerthError('invalid', `${name} of the image archive is larger than ${String(limit)} bytes`);
  const chunks: Uint8Array[] = [];
  for await (const chunk of file.stream(0)) chunks.push(chunk);
  return Buffer.concat(chunks);
}
