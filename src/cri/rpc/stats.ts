import { batches } from '../batches.ts';
import { nonEmpty } from '../codec/pick.ts';
import { encodeContainerStats } from '../codec/stats.ts';
import type { Caller, Door, Routes } from '../handler.ts';
import type { Empty } from '../messages/common.ts';
import type { ContainerIdRequest } from '../messages/container.ts';
import type { ListMetricDescriptorsResponse, ListPodSandboxMetricsResponse, StreamPodSandboxMetricsResponse } from '../messages/metrics.ts';
import type { PodSandboxIdRequest } from '../messages/sandbox.ts';
import type * as wire from '../messages/stats.ts';
import { metricDescriptors } from '../pod-metrics/encode-metrics.ts';
import { readMetrics } from '../read-metrics.ts';
import { podStatsMessage, readContainerStats, readPodStats } from '../read-stats.ts';

export const statsRoutes = {
  async ContainerStats({ engine }: Door, { containerId }: ContainerIdRequest, { signal }: Caller): Promise<wire.OneStats<wire.ContainerStats>> {
    const container = engine.containers.get(nonEmpty(containerId, 'container_id'));
    return { stats: encodeContainerStats(await engine.containers.stats(container.id, signal), container) };
  },

  async ListContainerStats({ engine }: Door, { filter }: wire.Filtered<wire.ContainerStatsFilter>, { signal }: Caller): Promise<wire.ManyStats<wire.ContainerStats>> {
    return { stats: await readContainerStats(engine, filter, signal) };
  },

  async *StreamContainerStats({ engine, contract }: Door, { filter }: wire.Filtered<wire.ContainerStatsFilter>, { signal }: Caller): AsyncIterable<wire.StreamContainerStatsResponse> {
    const all = await readContainerStats(engine, filter, signal);
    for (const containerStats of batches(all, contract.sizeOf('ContainerStats'))) yield { containerStats };
  },

  async PodSandboxStats({ engine }: Door, { podSandboxId }: PodSandboxIdRequest, { signal }: Caller): Promise<wire.OneStats<wire.PodSandboxStats>> {
    const pod = engine.pods.get(nonEmpty(podSandboxId, 'pod_sandbox_id'));
    return { stats: podStatsMessage(engine, pod, await engine.pods.stats(pod.id, signal)) };
  },

  async ListPodSandboxStats({ engine }: Door, { filter }: wire.Filtered<wire.PodSandboxStatsFilter>, { signal }: Caller): Promise<wire.ManyStats<wire.PodSandboxStats>> {
    return { stats: await readPodStats(engine, filter, signal) };
  },

  async *StreamPodSandboxStats({ engine, contract }: Door, { filter }: wire.Filtered<wire.PodSandboxStatsFilter>, { signal }: Caller): AsyncIterable<wire.StreamPodSandboxStatsResponse> {
    const all = await readPodStats(engine, filter, signal);
    for (const podSandboxStats of batches(all, contract.sizeOf('PodSandboxStats'))) yield { podSandboxStats };
  },

  ListMetricDescriptors(): ListMetricDescriptorsResponse {
    return { descriptors: metricDescriptors() };
  },

  async ListPodSandboxMetrics({ engine }: Door, _request: Empty, { signal }: Caller): Promise<ListPodSandboxMetricsResponse> {
    return { podMetrics: await readMetrics(engine, signal) };
  },

  async *StreamPodSandboxMetrics({ engine, contract }: Door, _request: Empty, { signal }: Caller): AsyncIterable<StreamPodSandboxMetricsResponse> {
    const all = await readMetrics(engine, signal);
    for (const podSandboxMetrics of batches(all, contract.sizeOf('PodSandboxMetrics'))) yield { podSandboxMetrics };
  },
} satisfies Routes;
