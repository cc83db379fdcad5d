import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Codec, ProtoFiles } from '../../lib/proto.ts';

/** A span as a collector received it. */
export interface SentSpan {
  readonly name: string;
  readonly id: string;
  readonly parent: string;
  readonly startMs: number;
  readonly endMs: number;
  /** opentelemetry.proto.trace.v1.Status.StatusCode: 0 unset, 2 error. */
  readonly status: number;
}

interface WireSpan {
  readonly spanId: Uint8Array;
  readonly parentSpanId: Uint8Array;
  readonly name: string;
  readonly start: bigint;
  readonly end: bigint;
  readonly status: { readonly code: number } | null;
}

/** The part of OTLP's messages that the tests look at. */
const otlp = `syntax = "proto3"; package otlp;
message Request { repeated Resource resources = 1; }
message Resource { repeated Scope scopes = 2; }
message Scope { repeated Span spans = 2; }
message Span { bytes span_id = 2; bytes parent_span_id = 4; string name = 5; fixed64 start = 7; fixed64 end = 8; Status status = 15; }
message Status { int32 code = 3; }`;

interface Request {
  readonly resources: readonly { readonly scopes: readonly { readonly spans: readonly WireSpan[] }[] }[];
}

function requestCodec(): Codec<Request> {
  const directory = mkdtempSync(join(tmpdir(), 'btr-'));
  try {
    writeFileSync(join(directory, 'otlp.proto'), otlp);
    return new ProtoFiles(directory, ['otlp.proto']).codec<Request>('otlp.Request');
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function spansOf(body: Buffer): readonly SentSpan[] {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  return requestCodec()
    .decode(body.subarray(5))
    .resources.flatMap(({ scopes }) => scopes.flatMap(({ spans }) => spans))
    .map(({ name, spanId, parentSpanId, start, end, status }) => ({ name, id: hex(spanId), parent: hex(parentSpanId), startMs: Number(start) / 1e6, endMs: Number(end) / 1e6, status: status?.code ?? 0 }));
}

/** What a collector in this process has been sent. */
export interface Collected {
  readonly url: string;
  readonly received: () => Buffer;
  readonly spans: () => readonly SentSpan[];
  readonly close: () => void;
}

/** Takes OTLP over gRPC, answers with this status and keeps the bodies. */
export async function collect(status = '0'): Promise<Collected> {
  const bodies: Buffer[] = [];
  const server = createServer();
  server.on('stream', (stream: ServerHttp2Stream) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => { chunks.push(chunk); });
    stream.on('end', () => {
      bodies.push(Buffer.concat(chunks));
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.once('wantTrailers', () => { stream.sendTrailers({ 'grpc-status': status }); });
      stream.end(Buffer.alloc(5));
    });
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received: () => Buffer.concat(bodies),
    spans: () => bodies.flatMap(spansOf),
    close: () => {
      server.close();
    },
  };
}
