import type { Pod, PodFilter } from '../model/pod.ts';
import type { ContainerStats, PodStats } from '../model/stats.ts';
import type { InterfaceStats } from '../../native/port.ts';
import type { EngineParts } from '../parts.ts';
import { statsOf } from './container-stats.ts';

const networkMs = 2000;

/** See PodService.stats. */
export async function podStats(parts: EngineParts, idOrPrefix: string, signal: AbortSignal): Promise<PodStats> {
  const pod = parts.pods.get(idOrPrefix);
  const [containers, interfaces] = await Promise.all([
    statsOf(parts, parts.containers.ofPod(pod.id), signal),
    interfacesOf(parts, pod, signal),
  ]);
  return sum(parts, pod, containers, interfaces);
}

/** See PodService.listStats. */
export async function listPodStats(parts: EngineParts, filter: PodFilter, signal: AbortSignal): Promise<readonly PodStats[]> {
  const ready = parts.pods.list(filter).filter(({ state }) => state === 'ready');
  const all = await Promise.all(ready.map(({ id }) => presentStats(parts, id, signal)));
  return all.filter((stats) => stats !== undefined);
}

/** Undefined for a pod that vanishes. */
async function presentStats(parts: EngineParts, id: string, signal: AbortSignal): Promise<PodStats | undefined> {
  try {
    return await podStats(parts, id, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (parts.pods.find(id) !== undefined) parts.log.warn({ pod: id, err: error }, 'a pod is left out of the statistics');
    return undefined;
  }
}

async function interfacesOf(parts: EngineParts, { id, network }: Pod, signal: AbortSignal): Promise<readonly InterfaceStats[]> {
  if (network === undefined) return [];
  return parts.agent.networkStats(parts.paths.pin(id, 'net'), AbortSignal.any([signal, AbortSignal.timeout(networkMs)]));
}

function sum(parts: EngineParts, { id }: Pod, containers: readonly ContainerStats[], interfaces: readonly InterfaceStats[]): PodStats {
  const total = (of: (stats: ContainerStats) => bigint): bigint => containers.reduce((all, stats) => all + of(stats), 0n);
  const rates = containers.flatMap(({ usageNanoCores }) => usageNanoCores ?? []);
  return {
    id,
    timestampNs: parts.clock.nowNs(),
    containers,
    cpuUsageNs: total(({ task }) => task.cpu.usageNs),
    usageNanoCores: rates.length === 0 ? undefined : rates.reduce((all, rate) => all + rate, 0n),
    memoryUsageBytes: total(({ task }) => task.memory.usageBytes),
    memoryWorkingSetBytes: total(({ task }) => task.memory.workingSetBytes),
    memoryRssBytes: total(({ task }) => task.memory.rssBytes),
    memoryPageFaults: total(({ task }) => task.memory.pageFaults),
    memoryMajorPageFaults: total(({ task }) => task.memory.majorPageFaults),
    processCount: total(({ task }) => task.pids.current),
    interfaces,
  };
}
