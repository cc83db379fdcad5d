import { expect, test } from 'vitest';
import { parseHostPort } from './host-port.ts';

test.each([
  ['127.0.0.1:0', { host: '127.0.0.1', port: 0 }],
  ['[::1]:10010', { host: '::1', port: 10_010 }],
  ['localhost:1', { host: 'localhost', port: 1 }],
  [':9464', { host: '', port: 9464 }],
])('%s is host and port', (text, parts) => {
  expect(parseHostPort(text)).toEqual(parts);
});

test.each(['', '9464', '127.0.0.1', '::1:80', '127.0.0.1:65536', '127.0.0.1:x', '/run/s.sock', 'http://h:1', 'a b:1'])('%j is not', (text) => {
  expect(parseHostPort(text)).toBeUndefined();
});
