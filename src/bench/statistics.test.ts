import { expect, test } from 'vitest';
import { median, percentile, summarise } from './statistics.ts';

const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);

test('percentiles are ranks of the sorted samples', () => {
  expect(summarise(hundred)).toEqual({ count: 100, min: 1, p50: 50, p90: 90, p99: 99 });
  expect(percentile([7], 0.99)).toBe(7);
  expect(percentile([1, 2, 3], 0.99)).toBe(3);
});

test('the median of an even number is the mean of the middle two', () => {
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([9, 1, 5])).toBe(5);
  expect(median([])).toBeNaN();
});
