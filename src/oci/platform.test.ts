import { expect, test } from 'vitest';
import { formatPlatform, isForNode, normalPlatform, platformOf, rankPlatform, type Platform } from './platform.ts';

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
  expect(best(node, ['linux/arm/v5', 'linux/arm/6'])).toBe('linux/arm/6');
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

// What containerd/platforms 1.0.0-rc.5 makes of the same words, but that it leaves the usual variant out.
test.each([
  ['linux/x86_64', 'linux/amd64/v1'],
  ['linux/x86-64', 'linux/amd64/v1'],
  ['Linux/AMD64', 'linux/amd64/v1'],
  ['/amd64', 'linux/amd64/v1'],
  ['linux/amd64/V3', 'linux/amd64/v3'],
  ['linux/aarch64', 'linux/arm64/v8'],
  ['linux/arm64/8', 'linux/arm64/v8'],
  ['linux/arm64/v8.0', 'linux/arm64/v8'],
  ['linux/arm64/9.0', 'linux/arm64/v9'],
  ['linux/arm64/v8.2', 'linux/arm64/v8.2'],
  ['linux/i386/sse2', 'linux/386'],
  ['linux/armhf', 'linux/arm/v7'],
  ['linux/armhf/v6', 'linux/arm/v7'],
  ['linux/armel', 'linux/arm/v6'],
  ['linux/arm', 'linux/arm/v7'],
  ['linux/arm/6', 'linux/arm/v6'],
  ['linux/s390x', 'linux/s390x'],
  ['unknown/unknown', 'unknown/unknown'],
])('%s is %s', (written, normal) => {
  expect(formatPlatform(normalPlatform(offer(written)))).toBe(normal);
});

test('processors run what is made for their elders and for 32 bits, their own first', () => {
  const x64 = platformOf('x64', '');
  expect(best(x64, ['linux/386', 'linux/x86_64', 'linux/arm64'])).toBe('linux/x86_64');
  expect(best(x64, ['linux/i386', 'linux/arm64'])).toBe('linux/i386');
  expect(best(x64, ['linux/amd64/v8', 'linux/amd64/v2'])).toBeUndefined();
  const arm64 = platformOf('arm64', '');
  expect(best(arm64, ['linux/arm/v6', 'linux/arm/v7', 'linux/arm/v5'])).toBe('linux/arm/v7');
  expect(best(arm64, ['linux/arm/v7', 'linux/arm64/v8'])).toBe('linux/arm64/v8');
  expect(best(arm64, ['linux/arm64/v9', 'linux/arm64/v8.1'])).toBeUndefined();
  const v9 = { ...arm64, variant: 'v9.1' };
  expect(best(v9, ['linux/arm64', 'linux/arm64/v8.6', 'linux/arm64/v8.7', 'linux/arm/v8'])).toBe('linux/arm64/v8.6');
  expect(best(v9, ['linux/arm64/v9', 'linux/arm64/v9.1'])).toBe('linux/arm64/v9.1');
});

test('an offer that wants features of the system is passed over', () => {
  expect(rankPlatform(platformOf('x64', ''), { ...offer('linux/amd64'), osFeatures: ['erofs'] })).toBe(0);
});

test('the only build of an image is judged by system and architecture', () => {
  const x64 = platformOf('x64', '');
  for (const text of ['linux/amd64/v8', 'linux/amd64/v3', 'Linux/X86_64', '/amd64/v1', 'linux/386', '//', 'linux//v7']) expect(isForNode(x64, offer(text)), text).toBe(true);
  for (const text of ['linux/arm64', 'windows/amd64', 'linux/s390x', 'unknown/unknown']) expect(isForNode(x64, offer(text)), text).toBe(false);
});
