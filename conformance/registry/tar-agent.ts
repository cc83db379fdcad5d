import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { PassThrough } from 'node:stream';
import { BerthError } from '../../src/lib/errors.ts';
import type { Agent, UnpackRequest, UnpackResult, Usage } from '../../src/native/port.ts';

const run = promisify(execFile);

async function tarDigest({ blob, mediaType }: UnpackRequest): Promise<string> {
  const hash = createHash('sha256');
  const decompress = mediaType.includes('gzip') ? createGunzip() : mediaType.endsWith('zstd') ? createZstdDecompress() : new PassThrough();
  await pipeline(createReadStream(blob), decompress, hash);
  return `sha256:${hash.digest('hex')}`;
}

/** Unpacks with tar(1). */
export const tarAgent: Pick<Agent, 'unpack' | 'diskUsage'> = {
  async unpack(request: UnpackRequest, signal?: AbortSignal): Promise<UnpackResult> {
    if ((await tarDigest(request)) !== request.diffId) throw new BerthError('invalid', 'the layer does not match its diff id');
    const compression = request.mediaType.includes('gzip') ? ['-z'] : request.mediaType.endsWith('zstd') ? ['--zstd'] : [];
    await run('tar', ['-x', ...compression, '-f', request.blob, '-C', request.dir], signal === undefined ? {} : { signal });
    const bytes = (await readFile(request.blob)).byteLength;
    return { bytes, diskBytes: bytes, inodes: (await readdir(request.dir, { recursive: true })).length, micros: {} };
  },
  async diskUsage(paths: readonly string[]): Promise<readonly Usage[]> {
    return Promise.all(
      paths.map(async (path) => {
        const { stdout } = await run('du', ['-s', '-B1', path]);
        return { bytes: Number(stdout.split('\t')[0]), inodes: 1 };
      }),
    );
  },
};
