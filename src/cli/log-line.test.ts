import { expect, test } from 'vitest';
import { parseLogLine } from './log-line.ts';

test('full, partial and empty lines', () => {
  const time = '2026-01-02T03:04:05.000000006Z';
  expect(parseLogLine(`${time} stdout F hello  world`)).toEqual({ time, stream: 'stdout', partial: false, content: 'hello  world' });
  expect(parseLogLine(`${time} stderr P half`)).toMatchObject({ stream: 'stderr', partial: true, content: 'half' });
  expect(parseLogLine(`${time} stdout F `)).toMatchObject({ content: '' });
  expect(parseLogLine('not a log line')).toBeUndefined();
});
