import { expect, test } from 'vitest';
import { parseAddress, urlHost } from './address.ts';

test.each([
  ['127.0.0.1:0', { host: '127.0.0.1', port: 0 }],
  ['[::1]:10010', { host: '::1', port: 10_010 }],
  ['localhost:1', { host: 'localhost', port: 1 }],
])('%s is an address', (text, address) => {
  expect(parseAddress(text)).toEqual(address);
});

test.each(['', '127.0.0.1', ':80', '::1:80', '127.0.0.1:65536', '127.0.0.1:x', '/run/s.sock'])('%j is none', (text) => {
  expect(() => parseAddress(text)).toThrow(expect.objectContaining({ kind: 'invalid' }));
});

test('URLs name loopback where everything is listened on, and bracket IPv6', () => {
  expect(urlHost({ address: '127.0.0.1', family: 'IPv4', port: 1 })).toBe('127.0.0.1:1');
  expect(urlHost({ address: '0.0.0.0', family: 'IPv4', port: 1 })).toBe('127.0.0.1:1');
  expect(urlHost({ address: '::', family: 'IPv6', port: 1 })).toBe('[::1]:1');
});
