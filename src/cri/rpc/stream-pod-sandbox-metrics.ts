import { batches } from '../batches.ts';
import type { CriContract } from '../contract.ts';
import type { Door, Streaming } from '../handler.ts';
import type { Empty } from '../messages/common.ts';
import type { PodSandboxMetrics, StreamPodSandboxMetricsResponse } from '../messages/metrics.ts';
import { readMetrics } from '../read-metrics.ts';

export const streamPodSandboxMetrics = ({ engine }: Door, contract: CriContract): Streaming<Empty, StreamPodSandboxMetricsResponse> => {
  const codec = contract.codec<PodSandboxMetrics>('PodSandboxMetrics');
  return async function* stream(_request, signal) {
    for (const podSandboxMetrics of batches(await readMetrics(engine, signal), (pod) => codec.encode(pod).length)) yield { podSandboxMetrics };
  };
};
