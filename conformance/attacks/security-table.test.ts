/** docs/security.md says which test holds each advisory; so those must be there. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const places = ['conformance', 'src', 'native/crates'];
const endings = ['', '.ts', '.test.ts'];
const rows = readFileSync(join(root, 'docs/security.md'), 'utf8')
  .split('\n')
  .filter((line) => /^\| \d+ \|/.test(line))
  .map((line) => line.slice(2, -2).split(' | '));

test('every row has a number, an advisory, a verdict and a test or a reason to have none', () => {
  expect(rows.map(([number]) => Number(number))).toEqual(rows.map((_row, index) => index + 1));
  for (const [number, , , , verdict = '', named] of rows) {
    expect([number, verdict]).toEqual([number, expect.stringMatching(/^(REFUSED|HARMLESS|RUNTIME|CNI|NONE)$/)]);
    if (verdict === 'REFUSED') expect([number, named]).not.toEqual([number, '–']);
  }
});

test('every test that is named is there, with those words in it', () => {
  const missing = rows.flatMap(([number, , , , , named = '']) =>
    named.split('; ').flatMap((one) => {
      const [file = '', words] = one.replace(/ \(.*\)$/, '').split(': ');
      if (file === '–') return [];
      const found = places.flatMap((place) => endings.map((ending) => join(root, place, file + ending))).find((path) => existsSync(path));
      if (found === undefined) return [`${number}: ${file}`];
      return words === undefined || readFileSync(found, 'utf8').includes(words.replaceAll('"', '')) ? [] : [`${number}: ${words} in ${file}`];
    }),
  );
  expect(missing).toEqual([]);
});
