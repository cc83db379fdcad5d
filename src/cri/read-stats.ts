import type { Engine } from '../engine/port.ts';
import type { Container } from '../engine/model/container.ts';
import type { Pod } from '../engine/model/pod.ts';
import type { ContainerStats as Readings, PodStats } from '../engine/model/stats.ts';
import { decodeContainerStatsFilter, decodePodStatsFilter } from './codec/filters.ts';
import { encodeContainerStats, encodePodStats } from './codec/stats.ts';
import type { ContainerStats, ContainerStatsFilter, PodSandboxStats, PodSandboxStatsFilter } from './messages/stats.ts';

/** Joins readings with what names them; an object that went away meanwhile is left out. */
function encodeAll(readings: readonly Readings[], containers: readonly Container[]): readonly ContainerStats[] {
  const byId = new Map(containers.map((container) => [container.id, container]));
  return readings.flatMap((stats) => {
    const container = byId.get(stats.id);
    return container === undefined ? [] : [encodeContainerStats(stats, container)];
  });
}

export async function readContainerStats(engine: Engine, filter: ContainerStatsFilter | null, signal: AbortSignal): Promise<readonly ContainerStats[]> {
  const readings = await engine.containers.listStats(decodeContainerStatsFilter(filter), signal);
  return encodeAll(readings, engine.containers.list());
}

export function podStatsMessage(engine: Engine, pod: Pod, stats: PodStats): PodSandboxStats {
  return encodePodStats(stats, pod, encodeAll(stats.containers, engine.containers.list({ podId: pod.id })));
}

export async function readPodStats(engine: Engine, filter: PodSandboxStatsFilter | null, signal: AbortSignal): Promise<readonly PodSandboxStats[]> {
  const readings = await engine.pods.listStats(decodePodStatsFilter(filter), signal);
  const byId = new Map(engine.pods.list().map((pod) => [pod.id, pod]));
  return readings.flatMap((stats) => {
    const pod = byId.get(stats.id);
    return pod === undefined ? [] : [podStatsMessage(engine, pod, stats)];
  });
}
