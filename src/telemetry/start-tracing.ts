import type { SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace';
import { headSampler } from './sampler.ts';

/** Spans that wait to be sent or are being sent. */
const maxWaiting = 2048;
/** As ExportResultCode numbers it. */
const success = 0;

export interface TracingOptions {
  /** OTLP gRPC endpoint such as http://127.0.0.1:4317; empty: no tracing. */
  readonly endpoint: string;
  /** Share of traces kept, 0 to 1; a caller's decision goes before it. */
  readonly sampling: number;
}

/**
 * Loads the SDK, and only then: it costs tens of megabytes. Returns how to flush and stop it.
 * @param lost hears of spans that were to be kept and reach no collector, by their number.
 */
export async function startTracing({ endpoint, sampling }: TracingOptions, lost: (spans: number) => void): Promise<() => Promise<void>> {
  if (endpoint === '') return async () => undefined;
  const [{ NodeSDK }, { BatchSpanProcessor }, { OTLPTraceExporter }] = await Promise.all([import('@opentelemetry/sdk-node'), import('@opentelemetry/sdk-trace'), import('@opentelemetry/exporter-trace-otlp-grpc')]);
  const sdk = new NodeSDK({
    serviceName: 'berthd',
    spanProcessors: [counted(new OTLPTraceExporter({ url: endpoint }), (exporter) => new BatchSpanProcessor({ exporter, maxQueueSize: maxWaiting }), lost)],
    sampler: headSampler(sampling),
    instrumentations: [],
    metricReaders: [],
    logRecordProcessors: [],
  });
  sdk.start();
  return async () => sdk.shutdown();
}

/** A processor that counts what it drops and what the exporter fails to send; the SDK's own tells nobody. */
function counted(exporter: SpanExporter, processorOf: (exporter: SpanExporter) => SpanProcessor, lost: (spans: number) => void): SpanProcessor {
  let waiting = 0;
  const inner = processorOf({
    export: (spans, done) => {
      exporter.export(spans, (result) => {
        waiting -= spans.length;
        if (result.code !== success) lost(spans.length);
        done(result);
      });
    },
    shutdown: async () => exporter.shutdown(),
  });
  return {
    onStart: (span, parent) => {
      inner.onStart(span, parent);
    },
    onEnd: (span) => {
      if (waiting >= maxWaiting) {
        lost(1);
        return;
      }
      waiting += 1;
      inner.onEnd(span);
    },
    forceFlush: async () => inner.forceFlush(),
    shutdown: async () => {
      try {
        await inner.shutdown();
      } finally {
        // A last attempt that fails ends the sending; nobody hears of what waited behind it.
        lost(waiting);
      }
    },
  };
}
