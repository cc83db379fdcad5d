import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { BerthError } from '../../lib/errors.ts';
import { storageError } from '../content/storage-error.ts';
import { compressionOf, type Compression } from './compression.ts';

const xzMagic = 'fd377a585a';

/**
 * Opens an archive file for reading in any order, which compression does not allow: a packed one is unpacked into a file of
 * `scratch` that has no name any more when this returns, so that nothing can stay behind.
 */
export async function openUnpacked(path: string, scratch: string, signal: AbortSignal): Promise<FileHandle> {
  const handle = await open(path, 'r');
  try {
    const start = Buffer.alloc(8);
    await handle.read(start, 0, start.byteLength, 0);
    if (start.toString('hex').startsWith(xzMagic)) throw new BerthError('invalid', `the image archive ${path} is compressed with xz`, { hint: 'decompress it first: gzip and zstd are read as they are' });
    const compression = compressionOf(start);
    if (compression === 'none') return handle;
    const unpacked = await unpack({ path, compression, scratch }, signal);
    await handle.close();
    return unpacked;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

interface Packed {
  readonly path: string;
  readonly compression: Exclude<Compression, 'none'>;
  readonly scratch: string;
}

async function unpack({ path, compression, scratch }: Packed, signal: AbortSignal): Promise<FileHandle> {
  const target = join(scratch, `import-${randomBytes(8).toString('hex')}`);
  const unpacked = await open(target, 'wx+', 0o600);
  try {
    await unlink(target);
    const decoder = compression === 'gzip' ? createGunzip() : createZstdDecompress();
    await pipeline(createReadStream(path), decoder, (chunks: AsyncIterable<Uint8Array>) => unpacked.writeFile(chunks), { signal });
    return unpacked;
  } catch (error) {
    await unpacked.close();
    signal.throwIfAborted();
    throw isDamage(error) ? new BerthError('invalid', `the image archive ${path} is damaged: its ${compression} data cannot be read`, { cause: error }) : storageError(error, `unpack the image archive ${path}`);
  }
}

function isDamage(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return code.startsWith('Z_') || code.startsWith('ZSTD_');
}
