import { runningTask } from '../containers/running-task.ts';
import type { Container, ContainerFilter } from '../model/container.ts';
import type { ContainerStats } from '../model/stats.ts';
import type { EngineParts } from '../parts.ts';

/** Shims asked at the same time: enough to hide their latency, too few to swamp a small node. */
export const statsConcurrency = 32;
/** A frozen shim costs a list this much, and itself its place in it. */
const deadlineMs = 2000;

/** See ContainerService.stats. */
export async function containerStats(parts: EngineParts, idOrPrefix: string, signal: AbortSignal): Promise<ContainerStats> {
  const { container, task } = runningTask(parts, idOrPrefix);
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]);
  const [stats, writableLayer] = await Promise.all([task.stats(bounded), parts.layerUsages.of(container.id)]);
  return {
    id: container.id,
    task: stats,
    usageNanoCores: parts.cpuRates.rate(container.id, stats.timestampNs, stats.cpu.usageNs),
    writableLayer,
    writableLayerMountpoint: parts.config.stateRoot,
  };
}

/** See ContainerService.listStats. */
export function listContainerStats(parts: EngineParts, filter: ContainerFilter, signal: AbortSignal): Promise<readonly ContainerStats[]> {
  return statsOf(parts, parts.containers.list(filter), signal);
}

/** Of those that run; one that vanishes or hangs is left out. */
export async function statsOf(parts: EngineParts, containers: readonly Container[], signal: AbortSignal): Promise<readonly ContainerStats[]> {
  const running = containers.filter(({ state }) => state === 'running');
  const all = await Promise.all(running.map(({ id }) => parts.statsReads.run(() => presentStats(parts, id, signal), signal)));
  return all.filter((stats) => stats !== undefined);
}

/** Undefined for a container that vanishes or hangs. */
async function presentStats(parts: EngineParts, id: string, signal: AbortSignal): Promise<ContainerStats | undefined> {
  try {
    return await containerStats(parts, id, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (parts.containers.find(id)?.state === 'running') parts.log.warn({ container: id, err: error }, 'a container is left out of the statistics');
    return undefined;
  }
}
