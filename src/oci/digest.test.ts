import { expect, test } from 'vitest';
import type { Digest } from '../lib/ids.ts';
import { chainIds, digestOf, hexOf, isDigest, parseDigest } from './digest.ts';

const of = (letter: string): Digest => parseDigest(`sha256:${letter.repeat(64)}`);

test('only lower-case sha256 is a digest', () => {
  expect(isDigest(of('a'))).toBe(true);
  for (const text of ['', 'a'.repeat(64), `sha256:${'A'.repeat(64)}`, `sha256:${'a'.repeat(63)}`, `sha512:${'a'.repeat(64)}`, `sha256:${'a'.repeat(64)}\n`]) expect(isDigest(text)).toBe(false);
  expect(() => parseDigest('sha256:../../etc')).toThrow(expect.objectContaining({ kind: 'invalid' }));
});

test('the digest of known content', () => {
  expect(hexOf(digestOf('abc'))).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});

test('a chain id stands for its layer and all below', () => {
  const [first, second, third] = chainIds([of('a'), of('b'), of('c')]);
  expect(first).toBe(of('a'));
  expect(second).toBe(digestOf(`${of('a')} ${of('b')}`));
  expect(third).toBe(digestOf(`${String(second)} ${of('c')}`));
  expect(chainIds([])).toEqual([]);
});
