import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { EngineMetrics, ImageMetrics, PluginMetrics, RpcMetrics } from './port.ts';

/** From half a millisecond, which is a fork, to ten seconds, which is a complaint. */
const startBuckets = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10];
const transferBuckets = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
/** Phase names come from the code, so they are few; this only guards against a shim that invents more. */
const maxPhases = 64;

export type Metrics = RpcMetrics &
  EngineMetrics &
  ImageMetrics &
  PluginMetrics & {
    readonly registry: Registry;
    recovered(seconds: number): void;
    spansLost(spans: number): void;
  };

/** Declares what is counted as it happens; what is read on a scrape is in collect.ts. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const phase = new Histogram({
    name: 'berth_start_phase_seconds',
    help: 'Time of one phase of making or starting a pod or a container. Phases may overlap, so they do not add up to the operation.',
    labelNames: ['operation', 'phase'],
    buckets: startBuckets,
    registers,
  });
  const operations = new Histogram({
    name: 'berth_operation_seconds',
    help: 'Time of a whole operation of the engine, by how it ended.',
    labelNames: ['operation', 'outcome'],
    buckets: startBuckets,
    registers,
  });
  const exits = new Counter({ name: 'berth_container_exits_total', help: 'Containers that ended, by the reason that their status shows.', labelNames: ['reason'], registers });
  const rpc = new Histogram({ name: 'berth_rpc_seconds', help: 'Time to answer a call; its _count counts calls.', labelNames: ['method'], buckets: startBuckets, registers });
  const rpcErrors = new Counter({ name: 'berth_rpc_errors_total', help: 'Calls that were answered with an error, by gRPC code.', labelNames: ['method', 'code'], registers });
  const pulled = new Counter({ name: 'berth_pull_bytes_total', help: 'Bytes of blobs that came from registries, as sent (compressed).', registers });
  const pullSeconds = new Histogram({ name: 'berth_pull_blob_seconds', help: 'Time to download one blob.', buckets: transferBuckets, registers });
  const unpacked = new Counter({ name: 'berth_unpack_bytes_total', help: 'Uncompressed bytes of the layers that were unpacked.', registers });
  const unpackSeconds = new Histogram({ name: 'berth_unpack_layer_seconds', help: 'Time to unpack one layer, with its fsync.', buckets: transferBuckets, registers });
  const pulls = new Histogram({ name: 'berth_pull_seconds', help: 'Time of a whole pull, by how it ended.', labelNames: ['outcome'], buckets: transferBuckets, registers });
  const lostSpans = new Counter({ name: 'berth_spans_lost_total', help: 'Spans that were to be exported and reached no collector.', registers });
  const recovery = new Gauge({ name: 'berth_recovery_seconds', help: 'Time that the last start of berthd took to recover its state.', registers });
  const plugins = new Histogram({
    name: 'berth_cni_plugin_seconds',
    help: 'Time of one run of a CNI plugin, by type and command; "failed" tells those that said so.',
    labelNames: ['type', 'command', 'outcome'],
    buckets: startBuckets,
    registers,
  });
  const seen = new Set<string>();
  const bounded = (name: string): string => {
    if (seen.size < maxPhases) seen.add(name);
    return seen.has(name) ? name : 'other';
  };
  return {
    registry,
    startPhase: (operation, name, seconds) => {
      phase.observe({ operation, phase: bounded(name) }, seconds);
    },
    operation: (operation, outcome, seconds) => {
      operations.observe({ operation, outcome }, seconds);
    },
    containerExited: (reason) => {
      exits.inc({ reason });
    },
    rpcEnded: (method, code, seconds) => {
      rpc.observe({ method }, seconds);
      if (code !== 'OK') rpcErrors.inc({ method, code });
    },
    blobDownloaded: (bytes, seconds) => {
      pulled.inc(bytes);
      pullSeconds.observe(seconds);
    },
    layerUnpacked: (bytes, seconds) => {
      unpacked.inc(bytes);
      unpackSeconds.observe(seconds);
    },
    pullFinished: (outcome, seconds) => {
      pulls.observe({ outcome }, seconds);
    },
    pluginEnded: (type, command, seconds, ok) => {
      plugins.observe({ type, command, outcome: ok ? 'ok' : 'failed' }, seconds);
    },
    recovered: (seconds) => {
      recovery.set(seconds);
    },
    spansLost: (spans) => {
      lostSpans.inc(spans);
    },
  };
}
