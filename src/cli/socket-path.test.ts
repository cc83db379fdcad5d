import { join } from 'node:path';
import { expect, test } from 'vitest';
import { socketPath } from './socket-path.ts';

test.each([
  ['/run/berth/berth.sock', '/run/berth/berth.sock'],
  ['unix:///run/b.sock', '/run/b.sock'],
  ['unix:/run/b.sock', '/run/b.sock'],
  ['b.sock', join(process.cwd(), 'b.sock')],
])('%s is %s', (endpoint, path) => {
  expect(socketPath(endpoint)).toBe(path);
});

test.each(['', 'tcp://127.0.0.1:1', 'http://x/', 'unix://b.sock'])('%j is refused by the name of its option', (endpoint) => {
  expect(() => socketPath(endpoint)).toThrow('--endpoint');
});
