import { expect, test } from 'vitest';
import { age, bytes, shortId, table } from './output.ts';
import { renderWaterfall } from './render-waterfall.ts';

test('columns line up and trailing space is cut', () => {
  expect(table(['ID', 'NAME'], [['a', 'long-name'], ['bcd', 'x']])).toBe('ID    NAME\na     long-name\nbcd   x');
});

test('sizes and ages read as people write them', () => {
  expect([0, 1023, 1536, 5 << 20].map(bytes)).toEqual(['0 B', '1023 B', '1.5 KiB', '5.0 MiB']);
  const at = String(1_000_000n * 1_000_000_000n);
  expect([30, 600, 7300, 200_000].map((s) => age(at, (1_000_000 + s) * 1000))).toEqual(['30s', '10m', '2h', '2d']);
  expect(shortId(`sha256:${'a'.repeat(64)}`)).toBe('a'.repeat(13));
});

test('a waterfall places each bar where its phase ran', () => {
  const text = renderWaterfall('pod', [
    { name: 'namespaces', startMs: 0, durationMs: 10 },
    { name: 'cni', startMs: 10, durationMs: 30 },
  ]);
  const [title, first, second] = text.split('\n');
  expect(title).toBe('pod: 40.0 ms');
  expect(first).toMatch(/namespaces {5}10.0 ms {2}█{10}$/);
  expect(second).toMatch(/cni {12}30.0 ms {12}█{30}$/);
});
