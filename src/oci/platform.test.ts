import { expect, test } from 'vitest';
import { formatPlatform, platformOf, rankPlatform, type Platform } from './platform.ts';

const offer = (text: string): Platform => {
  const [os = '', architecture = '', variant = ''] = text.split('/');
  return { os, architecture, variant };
};
const best = (node: Platform, offers: readonly string[]): string | undefined =>
  offers.filter((text) => rankPlatform(node, offer(text)) > 0).toSorted((a, b) => rankPlatform(node, offer(b)) - rankPlatform(node, offer(a)))[0];

test('Node\'s words become OCI\'s', () => {
  expect(formatPlatform(platformOf('x64', ''))).toBe('linux/amd64');
  expect(formatPlatform(platformOf('arm64', ''))).toBe('linux/arm64/v8');
  expect(formatPlatform(platformOf('arm', '6'))).toBe('linux/arm/v6');
  expect(formatPlatform(platformOf('ia32', ''))).toBe('linux/386');
});

test('an older variant runs, a newer one does not', () => {
  const node = platformOf('arm', '7');
  expect(best(node, ['linux/arm/v5', 'linux/arm/v6', 'linux/arm/v8', 'linux/amd64'])).toBe('linux/arm/v6');
  expect(best(node, ['linux/arm/v6', 'linux/arm/v7'])).toBe('linux/arm/v7');
  expect(best(node, ['linux/arm/v8', 'linux/arm64'])).toBeUndefined();
});

test('an offer for faster processors of the kind is not taken', () => {
  expect(best(platformOf('x64', ''), ['linux/amd64/v3', 'linux/amd64'])).toBe('linux/amd64');
  expect(best(platformOf('x64', ''), ['linux/amd64/v3'])).toBeUndefined();
});

test('what is not said matches, another system never does', () => {
  expect(rankPlatform(platformOf('x64', ''), offer('//'))).toBeGreaterThan(0);
  expect(rankPlatform(platformOf('x64', ''), offer('windows/amd64'))).toBe(0);
  expect(rankPlatform(platformOf('x64', ''), offer('unknown/unknown'))).toBe(0);
});
