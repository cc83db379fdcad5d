import { expect, test } from 'vitest';
import { parsePod } from './pod-record.ts';
import { fromJson, toJson } from './tagged-json.ts';

test('64-bit integers survive JSON, absent stays absent', () => {
  const value = { at: 1_800_000_000_000_000_001n, list: [{ limit: 0n }], none: undefined, text: '12', nothing: null };
  const back = fromJson(JSON.parse(JSON.stringify(toJson(value))));
  expect(back).toEqual({ at: value.at, list: [{ limit: 0n }], text: '12', nothing: null });
});

const id = 'a'.repeat(64);
const whole = { id, state: 'ready', createdAtNs: { $bigint: '5' }, config: { owner: 'cri', key: 'k', title: 't', security: { namespaces: {} } } };

test('a whole record is a pod', () => {
  expect(parsePod(id, whole)).toMatchObject({ id, state: 'ready', createdAtNs: 5n });
});

test.each([
  ['text', 'x'],
  ['another id', { ...whole, id: 'b'.repeat(64) }],
  ['an unknown state', { ...whole, state: 'flying' }],
  ['no time', { ...whole, createdAtNs: 5 }],
  ['no key', { ...whole, config: { ...whole.config, key: 5 } }],
  ['an owner who is none', { ...whole, config: { ...whole.config, owner: 'rkt' } }],
  ['no security', { ...whole, config: { owner: 'cri', key: 'k', title: 't' } }],
])('a record with %s is refused', (_, value) => {
  expect(() => parsePod(id, value)).toThrow();
});

test('an id that is a path is refused', () => {
  expect(() => parsePod('../x', { ...whole, id: '../x' })).toThrow('wrong id');
});
