import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { oomFloor } from './oom-floor.ts';

const own = Number(readFileSync('/proc/self/oom_score_adj', 'utf8'));
const host = { cgroupVersion: 2, swapControl: false, hugetlbControl: false, apparmor: false, selinux: false, minOomScoreAdj: -1001, boundingCapabilities: 0n } as const;

test('the host’s limit, or our own score where that is asked for', () => {
  expect(oomFloor(false, host)).toBe(-1001);
  expect(oomFloor(true, host)).toBe(own);
  expect(oomFloor(true, { ...host, minOomScoreAdj: 1001 })).toBe(1001);
});
