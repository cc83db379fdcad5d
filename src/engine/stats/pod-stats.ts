import type { PodId } from '../../lib/ids.ts';
import type { CgroupReading, CgroupStats, InterfaceStats } from '../../agent/port.ts';
import type { Pod, PodFilter } from '../model/pod.ts';
import type { ContainerStats, PodStats, PodTotals } from '../model/stats.ts';
import type { EngineParts } from '../parts.ts';
import { statsOf } from './container-stats.ts';
import { readPods, type ReadOptions } from './read-cgroups.ts';
import { readingDeadline } from './reading-deadline.ts';

/** See PodService.stats. */
export async function podStats(parts: EngineParts, idOrPrefix: string, signal: AbortSignal): Promise<PodStats> {
  const pod = parts.pods.get(idOrPrefix);
  const deadline = readingDeadline(signal);
  const [containers, own, interfaces] = await Promise.all([
    statsOf(parts, parts.containers.ofPod(pod.id), { processes: false }, deadline),
    readPods(parts, [pod], deadline),
    interfacesOf(parts, pod, deadline),
  ]);
  return combine(parts, pod.id, { own: own.get(pod.id), containers, interfaces });
}

/** See PodService.listStats. */
export async function listPodStats(parts: EngineParts, filter: PodFilter, signal: AbortSignal): Promise<readonly PodStats[]> {
  return statsOfPods(parts, parts.pods.list({ ...filter, state: 'ready' }), { processes: false }, readingDeadline(signal));
}

/** Of every given pod, even where something about it cannot be read. */
export async function statsOfPods(parts: EngineParts, pods: readonly Pod[], options: ReadOptions, signal: AbortSignal): Promise<readonly PodStats[]> {
  const containers = pods.flatMap(({ id }) => parts.containers.ofPod(id));
  const [stats, own, interfaces] = await Promise.all([
    statsOf(parts, containers, options, signal),
    readPods(parts, pods, signal),
    Promise.all(pods.map(async (pod) => interfacesOf(parts, pod, signal))),
  ]);
  const podOf = new Map(containers.map(({ id, podId }) => [id, podId]));
  const byPod = Map.groupBy(stats, ({ id }) => podOf.get(id));
  return pods.map(({ id }, index) => combine(parts, id, { own: own.get(id), containers: byPod.get(id) ?? [], interfaces: interfaces[index] ?? [] }));
}

async function interfacesOf(parts: EngineParts, { id, network }: Pod, signal: AbortSignal): Promise<readonly InterfaceStats[]> {
  if (network === undefined) return [];
  try {
    return await parts.agent.networkStats(parts.paths.pin(id, 'net'), signal);
  } catch (error) {
    if (parts.pods.peek(id)?.state === 'ready') parts.log.warn({ pod: id, err: error }, "a pod's network is left out of its statistics");
    return [];
  }
}

interface Readings {
  readonly own: CgroupReading | undefined;
  readonly containers: readonly ContainerStats[];
  readonly interfaces: readonly InterfaceStats[];
}

function combine(parts: EngineParts, id: PodId, { own, containers, interfaces }: Readings): PodStats {
  const timestampNs = own?.stats.timestampNs ?? parts.clock.nowNs();
  const totals = own === undefined ? sum(containers) : totalsOf(own.stats);
  return { id, timestampNs, containers, interfaces, usageNanoCores: parts.cpuRates.rate(id, timestampNs, totals.cpuUsageNs), ...totals };
}

function totalsOf({ cpu, memory, pids, pressure }: CgroupStats): PodTotals {
  return {
    cpuUsageNs: cpu.usageNs,
    memoryUsageBytes: memory.usageBytes,
    memoryWorkingSetBytes: memory.workingSetBytes,
    memoryRssBytes: memory.rssBytes,
    memoryPageFaults: memory.pageFaults,
    memoryMajorPageFaults: memory.majorPageFaults,
    memoryLimitBytes: memory.limitBytes,
    processCount: pids.processes,
    pressure,
  };
}

function sum(containers: readonly ContainerStats[]): PodTotals {
  const total = (of: (stats: CgroupStats) => bigint): bigint => containers.reduce((all, { task }) => all + of(task), 0n);
  return {
    cpuUsageNs: total(({ cpu }) => cpu.usageNs),
    memoryUsageBytes: total(({ memory }) => memory.usageBytes),
    memoryWorkingSetBytes: total(({ memory }) => memory.workingSetBytes),
    memoryRssBytes: total(({ memory }) => memory.rssBytes),
    memoryPageFaults: total(({ memory }) => memory.pageFaults),
    memoryMajorPageFaults: total(({ memory }) => memory.majorPageFaults),
    memoryLimitBytes: undefined,
    processCount: total(({ pids }) => pids.processes),
    pressure: undefined,
  };
}
