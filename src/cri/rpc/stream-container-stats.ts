import { batches } from '../batches.ts';
import type { CriContract } from '../contract.ts';
import type { Door, Streaming } from '../handler.ts';
import type { ContainerStats, ContainerStatsFilter, Filtered, StreamContainerStatsResponse } from '../messages/stats.ts';
import { readContainerStats } from '../read-stats.ts';

export const streamContainerStats = ({ engine }: Door, contract: CriContract): Streaming<Filtered<ContainerStatsFilter>, StreamContainerStatsResponse> => {
  const codec = contract.codec<ContainerStats>('ContainerStats');
  return async function* stream({ filter }, signal) {
    const all = await readContainerStats(engine, filter, signal);
    for (const containerStats of batches(all, (stats) => codec.encode(stats).length)) yield { containerStats };
  };
};
