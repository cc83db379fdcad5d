import { expect, test } from 'vitest';
import { countField, fieldOf, listField, objectField, parseJson, parseJsonObject, stringField, stringMapField, stringsField, type JsonObject } from './json-fields.ts';

const parse = (text: string): JsonObject => parseJsonObject(Buffer.from(text), 'it');
const user = (text: string): string => stringField(parse(text), 'User', 'it');

// The right-hand sides are what encoding/json of Go 1.26 made of the same texts.
test.each([
  ['{"user":"a"}', 'a'],
  ['{"USER":"a"}', 'a'],
  ['{"u\\u017fer":"a"}', 'a'],
  ['{"uſer":"a"}', 'a'],
  ['{"User":"a","user":"b"}', 'b'],
  ['{"user":"a","User":"b","user":"c"}', 'c'],
  ['{"User":"a","User":"b"}', 'b'],
  ['{"User":"a","user":null}', 'a'],
  ['{"users":"a","us er":"b"}', ''],
  ['{"User":null}', ''],
  ['{"User":"\\ud800x"}', '\uFFFDx'],
])('a string field of %s', (text, expected) => {
  expect(user(text)).toBe(expected);
});

test('fold reaches the Kelvin sign and nothing else beyond ASCII', () => {
  expect(fieldOf(parse('{"to\u212Aen":"a"}'), 'token')).toBe('a');
  expect(fieldOf(parse('{"dıgest":"a"}'), 'digest')).toBeUndefined();
  expect(fieldOf(parse('{"addreß":"a"}'), 'address')).toBeUndefined();
});

test('objects that come twice are merged, lists are replaced, null empties a list', () => {
  const config = objectField(parse('{"config":{"User":"1000","Env":["A=1"]},"Config":{"env":["B=2"]},"config":null}'), 'config', 'it') ?? {};
  expect([stringField(config, 'User', 'it'), stringsField(config, 'Env', 'it')]).toEqual(['1000', ['B=2']]);
  expect(listField(parse('{"Env":["A"],"env":null}'), 'Env', 'it')).toEqual([]);
});

test('names that are data keep their case, the last of equals counts', () => {
  const labels = stringMapField(parse('{"labels":{"a":"1","A":"2","a":"3","n":null,"__proto__":"p"},"Labels":{"b":"4"}}'), 'Labels', 'it');
  expect(Object.entries(labels)).toEqual([['a', '3'], ['A', '2'], ['n', ''], ['__proto__', 'p'], ['b', '4']]);
});

test('objects of berth\'s own making have exact names', () => {
  expect(stringField({ user: 'a' }, 'User', 'it')).toBe('');
  expect(countField({ size: 3 }, 'size', 'it')).toBe(3);
});

test.each(['', '{', '{"a"}', '{"a":1,}', '[1,]', '{"a":01}', '{"a":"\n"}', '{"a":"\\x"}', '{"a":1} x', "{'a':1}", '{"a":tru}', '{"a":-}', '\uFEFF{}', '"', '{"a":"\\"}'])('refuses %j', (text) => {
  expect(() => parseJson(Buffer.from(text), 'it')).toThrow(expect.objectContaining({ kind: 'invalid', message: 'it is not JSON' }));
});

test.each([
  ['levels', '['.repeat(100_000), /1000 levels/],
  ['names', `{${Array.from({ length: 100_001 }, (_, index) => `"n${index}":0`).join(',')}}`, /100000 names/],
])('refuses %s without end', (_name, text, message) => {
  expect(() => parseJson(Buffer.from(text), 'it')).toThrow(expect.objectContaining({ kind: 'invalid', message: expect.stringMatching(message) as unknown }) as Error);
});

test.each(['{"a":[1,-2.5e3,true,null,"x\\n\\"\\\\"],"b":{"c":{}},"d":[]}', ' [ ] ', '"\\u00e4\\\\"', '{"":0}'])('reads %s as JSON.parse does', (text) => {
  expect(JSON.stringify(parseJson(Buffer.from(text), 'it'))).toBe(JSON.stringify(JSON.parse(text)));
});

test('bytes that are no UTF-8 are replaced, as Go does', () => {
  expect(stringField(parseJsonObject(Buffer.concat([Buffer.from('{"author":"J'), Buffer.from([0xfc]), Buffer.from('"}')]), 'it'), 'author', 'it')).toBe('J\uFFFD');
});
