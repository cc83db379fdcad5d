import { BerthError } from '../../lib/errors.ts';
import type { ContainerId } from '../../lib/ids.ts';
import type { CgroupReading, Usage } from '../../agent/port.ts';
import { liveTask } from '../containers/running-task.ts';
import { isLive, type Container, type ContainerFilter } from '../model/container.ts';
import type { ContainerStats } from '../model/stats.ts';
import type { EngineParts } from '../parts.ts';
import { readContainers, type ReadOptions } from './read-cgroups.ts';
import { readingDeadline } from './reading-deadline.ts';

/** See ContainerService.stats. */
export async function containerStats(parts: EngineParts, idOrPrefix: string, signal: AbortSignal): Promise<ContainerStats> {
  const { container } = liveTask(parts, idOrPrefix);
  const [stats] = await statsOf(parts, [container], { processes: false }, readingDeadline(signal));
  if (stats === undefined) throw new BerthError('unavailable', `nobody tells the statistics of container ${container.id}: it has just ended, or its shim does not answer`);
  return stats;
}

/** See ContainerService.listStats. */
export async function listContainerStats(parts: EngineParts, filter: ContainerFilter, signal: AbortSignal): Promise<readonly ContainerStats[]> {
  return statsOf(parts, parts.containers.list(filter), { processes: false }, readingDeadline(signal));
}

/** Of those that run; one that vanishes or hangs is left out. */
export async function statsOf(parts: EngineParts, containers: readonly Container[], options: ReadOptions, signal: AbortSignal): Promise<readonly ContainerStats[]> {
  const running = containers.filter(isLive);
  const [readings, layers] = await Promise.all([readContainers(parts, running, options, signal), Promise.all(running.map(async ({ id }) => parts.layerUsages.of(id)))]);
  return running.flatMap(({ id }, index) => {
    const [reading, layer] = [readings.get(id), layers[index]];
    return reading === undefined || layer === undefined ? [] : [combine(parts, id, reading, layer)];
  });
}

function combine(parts: EngineParts, id: ContainerId, { stats, path }: CgroupReading, writableLayer: Usage): ContainerStats {
  return {
    id,
    task: stats,
    cgroupPath: path,
    usageNanoCores: parts.cpuRates.rate(id, stats.timestampNs, stats.cpu.usageNs),
    writableLayer,
    writableLayerMountpoint: parts.config.stateRoot,
  };
}
