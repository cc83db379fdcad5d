import { expect, test } from 'vitest';
import { Tickets } from './tickets.ts';

function tickets(): { readonly table: Tickets<string>; readonly pass: (ms: number) => void } {
  let nowMs = 0;
  return { table: new Tickets({ monotonicMs: () => nowMs }), pass: (ms) => { nowMs += ms; } };
}

test('a token gives its ticket until it is spent', () => {
  const { table } = tickets();
  const [one, other] = [table.add('one'), table.add('other')];
  expect([table.peek(one), table.peek(one), table.peek(other)]).toEqual(['one', 'one', 'other']);
  table.spend(one);
  expect([table.peek(one), table.peek(other), table.peek('')]).toEqual([undefined, 'other', undefined]);
});

test('a token is good for a minute', () => {
  const { table, pass } = tickets();
  const early = table.add('early');
  pass(30_000);
  const late = table.add('late');
  pass(29_999);
  expect(table.peek(early)).toBe('early');
  pass(1);
  expect([table.peek(early), table.peek(late)]).toEqual([undefined, 'late']);
});

test('tokens have 192 random bits', () => {
  const { table } = tickets();
  const all = new Set(Array.from({ length: 1000 }, () => table.add('x')));
  expect(all.size).toBe(1000);
  expect([...all].every((token) => Buffer.from(token, 'base64url').length === 24)).toBe(true);
});

test('the table is bounded, and free again when the oldest have expired', () => {
  const { table, pass } = tickets();
  const [first = ''] = Array.from({ length: 1000 }, () => table.add('x'));
  expect(() => table.add('y')).toThrow(expect.objectContaining({ kind: 'exhausted' }));
  expect(table.peek(first)).toBe('x');
  pass(60_000);
  expect(table.peek(table.add('y'))).toBe('y');
});
