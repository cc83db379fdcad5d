import { expect, test } from 'vitest';
import { startTracing } from './start-tracing.ts';
import { collect } from './testing/otlp-collector.ts';
import { inSpan } from './trace.ts';

test('spans that a collector refuses, and those that there is no room for, are counted', async () => {
  const { url, close } = await collect('3');
  let lost = 0;
  const stop = await startTracing({ endpoint: url, sampling: 1 }, (spans) => { lost += spans; });
  for (let turn = 0; turn < 2100; turn += 1) await inSpan({ name: 'x', attributes: {}, headers: {}, isFault: () => true }, async () => undefined);
  expect(lost).toBeGreaterThanOrEqual(2100 - 2048);
  await stop().catch(() => undefined);
  close();
  expect(lost).toBe(2100);
});
