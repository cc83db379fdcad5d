import { expect, test } from 'vitest';
import { bandwidth } from './bandwidth.ts';

test('quantities become bits per second, with a burst that fits 32 bits', () => {
  expect(bandwidth({})).toBeUndefined();
  expect(bandwidth({ 'kubernetes.io/ingress-bandwidth': '10M' })).toEqual({ ingressRate: 10_000_000, ingressBurst: 10_000_000 });
  expect(bandwidth({ 'kubernetes.io/ingress-bandwidth': '1.5k', 'kubernetes.io/egress-bandwidth': '8Gi' })).toEqual({
    ingressRate: 1500,
    ingressBurst: 1500,
    egressRate: 8 * 2 ** 30,
    egressBurst: 2 ** 32 - 1,
  });
});

test.each(['', 'fast', '10MB', '-1M'])('"%s" is no bandwidth', (text) => {
  expect(() => bandwidth({ 'kubernetes.io/egress-bandwidth': text })).toThrow('kubernetes.io/egress-bandwidth');
});
