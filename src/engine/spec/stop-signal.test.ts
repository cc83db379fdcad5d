import { expect, test } from 'vitest';
import { signalNumber, stopSignalName } from './stop-signal.ts';

test.each([
  ['', '', 'SIGTERM', 15],
  ['', 'SIGQUIT', 'SIGQUIT', 3],
  ['', 'usr1', 'SIGUSR1', 10],
  ['', '3', 'SIGQUIT', 3],
  ['', 'SIGNONSENSE', 'SIGTERM', 15],
  ['', '0', 'SIGTERM', 15],
  ['', '65', 'SIGTERM', 15],
  ['', '-1', 'SIGTERM', 15],
  ['', '4294967305', 'SIGTERM', 15],
  ['', 'SIGRTMAX+1', 'SIGTERM', 15],
  ['SIGINT', 'SIGQUIT', 'SIGINT', 2],
  ['SIGRTMIN+3', '', 'SIGRTMIN+3', 37],
  ['SIGRTMAX-1', '', 'SIGRTMAX-1', 63],
])('asked "%s", image "%s" → %s, %i', (asked, image, name, number) => {
  expect(stopSignalName(asked, image)).toBe(name);
  expect(signalNumber(name)).toBe(number);
});

test('a wrong name in the request is an error', () => {
  expect(() => stopSignalName('SIGWRONG', '')).toThrow('"SIGWRONG" is no signal');
});
