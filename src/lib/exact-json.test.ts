import { expect, test } from 'vitest';
import { parseExactly, stringifyExactly } from './exact-json.ts';

test('integers of 64 bits keep their digits, and others stay numbers', () => {
  const text = '{"hard":18446744073709551615,"soft":9007199254740993,"small":[1,-2,1.5,1e400]}';
  const value = parseExactly(text);
  expect(value).toEqual({ hard: 18446744073709551615n, soft: 9007199254740993n, small: [1, -2, 1.5, Infinity] });
  expect(stringifyExactly({ hard: 18446744073709551615n, name: 'x', gone: undefined })).toBe('{"hard":18446744073709551615,"name":"x"}');
});
