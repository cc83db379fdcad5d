import { expect, test } from 'vitest';
import { parseChallenges } from './challenge.ts';

const parse = (...headers: string[]): unknown => parseChallenges(headers).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

test('what registries send', () => {
  expect(parse('Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull"')).toEqual([
    ['bearer', { realm: 'https://auth.example/token', service: 'registry.example', scope: 'repository:a/b:pull' }],
  ]);
  expect(parse('Basic realm="x"')).toEqual([['basic', { realm: 'x' }]]);
});

test('several challenges, in one header or in more', () => {
  const both = [
    ['bearer', { realm: 'r', error: 'insufficient_scope' }],
    ['basic', { realm: 'b' }],
  ];
  expect(parse('Bearer realm=r, error="insufficient_scope", Basic realm="b"')).toEqual(both);
  expect(parse('Bearer realm=r,error=insufficient_scope', 'Basic realm="b"')).toEqual(both);
});

test('quotes within quotes, commas within quotes, capitals', () => {
  expect(parse('BEARER Realm="a \\"b\\", c"')).toEqual([['bearer', { realm: 'a "b", c' }]]);
});

test('rubbish gives what could be read', () => {
  expect(parse('')).toEqual([]);
  expect(parse('"""')).toEqual([]);
  expect(parse('Basic realm="open')).toEqual([['basic', {}]]);
  expect(parse('Negotiate')).toEqual([['negotiate', {}]]);
});
