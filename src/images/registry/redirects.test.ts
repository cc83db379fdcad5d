import { expect, test } from 'vitest';
import { followRedirects, isSameServer } from './redirects.ts';
import type { HttpResponse } from './http-transport.ts';

test.each([
  ['http://r.example', 'http://r.example/other', true],
  ['http://r.example', 'https://r.example', true],
  ['https://r.example', 'https://r.example:443', true],
  ['https://r.example', 'http://r.example', false],
  ['http://r.example:5000', 'https://r.example', false],
  ['http://r.example', 'https://r.example:8443', false],
  ['http://r.example:5000', 'http://r.example:5001', false],
  ['https://r.example', 'https://s.r.example', false],
])('what is meant for %s may be shown to %s: %s', (one, other, expected) => {
  expect(isSameServer(new URL(one), new URL(other))).toBe(expected);
});

const answer = (status: number, location?: string): HttpResponse => ({ status, headers: () => (location === undefined ? [] : [location]), body: (async function* () {})(), discard: async () => undefined });

test.each([
  ['http://a.example/x', '../y?z', 'http://a.example/y?z'],
  ['http://a.example/x', '//b.example/y', 'http://b.example/y'],
  ['http://a.example/x', 'https://b.example/y', 'https://b.example/y'],
])('from %s, %s leads to %s', async (from, location, to) => {
  const { url } = await followRedirects(new URL(from), async (at) => (at.href === from ? answer(302, location) : answer(200)));
  expect(url.href).toBe(to);
});

test.each(['http://a.example/', 'file:///etc/passwd', 'ftp://a.example/', 'http://'])('a TLS server cannot send us to %s', async (location) => {
  await expect(followRedirects(new URL('https://a.example/'), async () => answer(307, location))).rejects.toThrow();
});

test('a redirect to nowhere is the answer', async () => {
  expect((await followRedirects(new URL('https://a.example/'), async () => answer(302))).response.status).toBe(302);
});
