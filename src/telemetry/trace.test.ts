import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { startTracing } from './start-tracing.ts';
import { inSpan, recordPhases } from './trace.ts';

let collector: Http2Server | undefined;

afterEach(() => {
  collector?.close();
});

/** Takes OTLP over gRPC and keeps the raw bodies: names and ids are in them as plain bytes. */
async function collect(): Promise<{ readonly url: string; readonly received: () => Buffer }> {
  const chunks: Buffer[] = [];
  const server = createServer();
  collector = server;
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.on('data', (chunk: Buffer) => { chunks.push(chunk); });
    stream.on('end', () => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.once('wantTrailers', () => { stream.sendTrailers({ 'grpc-status': '0' }); });
      stream.end(Buffer.alloc(5));
    });
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received: () => Buffer.concat(chunks) };
}

test('without an endpoint nothing is recorded and the work is done all the same', async () => {
  const stop = await startTracing({ endpoint: '', sampling: 1 });
  await expect(inSpan({ name: 'x', attributes: {}, headers: {} }, async () => { recordPhases([{ name: 'p', startMs: 0, durationMs: 1 }]); return 5; })).resolves.toBe(5);
  await stop();
});

test("a call's span joins the caller's trace and has the phases as children", async () => {
  const { url, received } = await collect();
  const stop = await startTracing({ endpoint: url, sampling: 0 });
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  await inSpan({ name: 'RunPodSandbox', attributes: { 'rpc.system': 'grpc' }, headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01` } }, async () => {
    recordPhases([{ name: 'namespaces', startMs: 0, durationMs: 3 }, { name: 'cni', startMs: 3, durationMs: 9 }]);
  });
  await inSpan({ name: 'NotSampled', attributes: {}, headers: {} }, async () => undefined);
  await stop();
  const sent = received();
  const names = ['RunPodSandbox', 'namespaces', 'cni', 'NotSampled'].filter((name) => sent.includes(name));
  expect(names).toEqual(['RunPodSandbox', 'namespaces', 'cni']);
  expect(sent.includes(Buffer.from(traceId, 'hex'))).toBe(true);
});
