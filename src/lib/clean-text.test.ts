import { expect, test } from 'vitest';
import { cleanText, cutText, printable, visibleJson } from './clean-text.ts';

test.each([
  ['plain text, ünïcödé 世界 😀', 'plain text, ünïcödé 世界 😀'],
  ['\u001b[31mred\u001b[0m', '\ufffd[31mred\ufffd[0m'],
  ['\u001b]0;title\u0007', '\ufffd]0;title\ufffd'],
  ['one\r\n\ttwo', 'one two'],
  ['a\u0000b\u007fc\u009bd', 'a\ufffdb\ufffdc\ufffdd'],
  ['a\u202ecba\u2066d\u200fe\u061cf', 'a\ufffdcba\ufffdd\ufffde\ufffdf'],
  ['line\u2028par\u2029', 'line\ufffdpar\ufffd'],
  ['half \ud800 pair \udc00', 'half \ufffd pair \ufffd'],
  ['tag \u{e0041}', 'tag \ufffd'],
])('%j is printed as %j', (text, expected) => {
  expect(printable(text)).toBe(expected);
});

test.each(['a', 'ü', '世', '😀', '%', '\u001b', '\ud83d'])('however much there is of %j, a cut keeps to its bytes and to whole characters', (character) => {
  for (const count of [1, 100, 199, 200, 201, 400, 1_000_000]) {
    const text = cleanText(`begin ${character.repeat(count)} end`, 200);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(200);
    expect(text.isWellFormed()).toBe(true);
    expect(text).toMatch(/^begin .* end$/u);
    expect(text.includes('\ufffd')).toBe(printable(character) === '\ufffd');
  }
});

test('what fits is left as it is', () => {
  expect(cutText('x'.repeat(200), 200)).toBe('x'.repeat(200));
  expect(cutText('ü'.repeat(100), 200)).toBe('ü'.repeat(100));
  expect(Buffer.byteLength(cutText('ü'.repeat(101), 200))).toBeLessThanOrEqual(200);
});

test('JSON that hides nothing means what it meant', () => {
  const value = { text: '\u001b[31m \u202e \u009b \u{e0041} \ud800 \n é' };
  const json = visibleJson(JSON.stringify(value, undefined, 2));
  expect(JSON.parse(json)).toEqual(value);
  expect(json).toMatch(/^[\x20-\x7e\né]*$/);
});
