import { createHash } from 'node:crypto';
import { BerthError } from '../lib/errors.ts';
import type { Digest, SnapshotKey } from '../lib/ids.ts';

const pattern = /^sha256:[0-9a-f]{64}$/;

export function isDigest(text: string): text is Digest {
  return pattern.test(text);
}

/** Fails `invalid` on anything but `sha256:` and 64 lower-case hex characters. */
export function parseDigest(text: string, what = 'digest'): Digest {
  if (isDigest(text)) return text;
  throw new BerthError('invalid', `${what} "${text.slice(0, 140)}" is not a sha256 digest`);
}

export function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length);
}

export function digestOf(content: Uint8Array | string): Digest {
  return `sha256:${createHash('sha256').update(content).digest('hex')}` as Digest;
}

/**
 * The names of the filesystem trees that each layer completes, bottom first. A chain id stands for the layer and all
 * below it, so images with a common base share their snapshots.
 */
export function chainIds(diffIds: readonly Digest[]): readonly SnapshotKey[] {
  const chain: string[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    chain.push(below === undefined ? diffId : digestOf(`${below} ${diffId}`));
  }
  return chain as unknown as readonly SnapshotKey[];
}
