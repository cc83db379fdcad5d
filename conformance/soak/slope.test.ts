import { expect, test } from 'vitest';
import { growth, slope } from './slope.ts';

const bound = { part: 0.1, least: 2 };

test('the slope is that of most points', () => {
  expect(slope([1, 3, 5, 7])).toBe(2);
  expect(slope([5, 5, 100, 5, 5, 5])).toBe(0);
  expect(slope([4])).toBe(0);
});

test('only what goes on growing in the last half counts', () => {
  expect(growth([10, 60, 90, 100, 100, 101, 100, 100], bound)).toBeUndefined();
  expect(growth([100, 100, 100, 100, 100, 110, 120, 130], bound)).toBe(30);
  expect(growth([1, 1, 1, 1, 1, 2, 2, 2], bound)).toBeUndefined();
});
