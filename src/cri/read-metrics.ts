import type { Engine } from '../engine/port.ts';
import type { PodSandboxMetrics } from './messages/metrics.ts';
import { encodePodMetrics } from './pod-metrics/encode-metrics.ts';

/** Measures every ready pod; one that went away meanwhile is left out. */
export async function readMetrics({ pods, containers }: Engine, signal: AbortSignal): Promise<readonly PodSandboxMetrics[]> {
  const { pods: all, filesystem } = await pods.measure(signal);
  const byId = new Map(pods.list().map((pod) => [pod.id, pod]));
  const known = new Map(containers.list().map((container) => [container.id, container]));
  return all.flatMap((stats) => {
    const pod = byId.get(stats.id);
    return pod === undefined ? [] : [encodePodMetrics({ pod, stats, containers: known, filesystem })];
  });
}
