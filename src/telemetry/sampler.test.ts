import { ROOT_CONTEXT, trace, TraceFlags } from '@opentelemetry/api';
import { expect, test } from 'vitest';
import { headSampler } from './sampler.ts';

const low = `${'0'.repeat(24)}10000000`;
const high = `${'0'.repeat(24)}f0000000`;
const child = (traceFlags: TraceFlags) => trace.setSpanContext(ROOT_CONTEXT, { traceId: low, spanId: '1'.repeat(16), traceFlags });

test('a share of the traces that begin here is kept, by their id', () => {
  const sampler = headSampler(0.5);
  expect([low, high].map((id) => sampler.shouldSample(ROOT_CONTEXT, id).decision)).toEqual([2, 0]);
  expect(headSampler(0).shouldSample(ROOT_CONTEXT, '0'.repeat(32)).decision).toBe(0);
  expect(headSampler(1).shouldSample(ROOT_CONTEXT, 'f'.repeat(32)).decision).toBe(2);
});

test("a caller's decision goes before ours", () => {
  expect(headSampler(0).shouldSample(child(TraceFlags.SAMPLED), low).decision).toBe(2);
  expect(headSampler(1).shouldSample(child(TraceFlags.NONE), low).decision).toBe(0);
});
