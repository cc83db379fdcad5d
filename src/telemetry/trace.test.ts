import { expect, test } from 'vitest';
import { startTracing } from './start-tracing.ts';
import { collect, type SentSpan } from './testing/otlp-collector.ts';
import { annotate, inSpan, recordPhases } from './trace.ts';

const isFault = (): boolean => true;

test('without an endpoint nothing is recorded and the work is done all the same', async () => {
  const stop = await startTracing({ endpoint: '', sampling: 1 }, () => undefined);
  await expect(inSpan({ name: 'x', attributes: {}, headers: {}, isFault }, async () => { recordPhases([{ name: 'p', startMs: 0, durationMs: 1 }], 0); return 5; })).resolves.toBe(5);
  await stop();
});

test("a call's span joins the caller's trace, has the phases as children at their true times, and fails with this side's faults alone", async () => {
  const { url, spans, received, close } = await collect();
  let lost = 0;
  const stop = await startTracing({ endpoint: url, sampling: 0 }, (count) => { lost += count; });
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  const beganMs = performance.now() - 500;
  await inSpan({ name: 'RunPodSandbox', attributes: { 'rpc.system': 'grpc' }, headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01` }, isFault }, async () => {
    annotate({ 'berth.pod.id': 'p1' });
    recordPhases([{ name: 'namespaces', startMs: 0, durationMs: 3 }, { name: 'cni', startMs: 3, durationMs: 9 }], beganMs);
  });
  await inSpan({ name: 'NotSampled', attributes: {}, headers: {}, isFault }, async () => undefined);
  for (const name of ['theirs', 'ours']) {
    const call = inSpan({ name, attributes: {}, headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01` }, isFault: () => name === 'ours' }, () => Promise.reject(new Error('no')));
    await expect(call).rejects.toThrow('no');
  }
  await stop();
  close();
  const [call, namespaces, cni, ...more] = ['RunPodSandbox', 'namespaces', 'cni', 'NotSampled'].flatMap((name) => spans().filter((span) => span.name === name));
  expect(more).toEqual([]);
  expect(received().includes(Buffer.from(traceId, 'hex'))).toBe(true);
  expect([namespaces?.parent, cni?.parent]).toEqual([call?.id, call?.id]);
  const origin = performance.timeOrigin + beganMs;
  const at = (span: SentSpan | undefined): readonly number[] => [span?.startMs ?? 0, span?.endMs ?? 0].map((ms) => Math.round(ms - origin));
  expect([at(namespaces), at(cni)]).toEqual([[0, 3], [3, 12]]);
  expect(received().includes('berth.pod.id')).toBe(true);
  expect(['theirs', 'ours'].map((name) => spans().find((span) => span.name === name)?.status)).toEqual([0, 2]);
  expect(lost).toBe(0);
});
