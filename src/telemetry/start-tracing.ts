import { headSampler } from './sampler.ts';

export interface TracingOptions {
  /** OTLP gRPC endpoint such as http://127.0.0.1:4317; empty: no tracing. */
  readonly endpoint: string;
  /** Share of traces kept, 0 to 1; a caller's decision goes before it. */
  readonly sampling: number;
}

/** Loads the SDK, and only then: it costs tens of megabytes. Returns how to flush and stop it. */
export async function startTracing({ endpoint, sampling }: TracingOptions): Promise<() => Promise<void>> {
  if (endpoint === '') return async () => undefined;
  const [{ NodeSDK }, { OTLPTraceExporter }] = await Promise.all([import('@opentelemetry/sdk-node'), import('@opentelemetry/exporter-trace-otlp-grpc')]);
  const sdk = new NodeSDK({
    serviceName: 'berthd',
    traceExporter: new OTLPTraceExporter({ url: endpoint }),
    sampler: headSampler(sampling),
    instrumentations: [],
    metricReaders: [],
    logRecordProcessors: [],
  });
  sdk.start();
  return async () => sdk.shutdown();
}
