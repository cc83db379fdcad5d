import { batches } from '../batches.ts';
import type { CriContract } from '../contract.ts';
import type { Door, Streaming } from '../handler.ts';
import type { Filtered, PodSandboxStats, PodSandboxStatsFilter, StreamPodSandboxStatsResponse } from '../messages/stats.ts';
import { readPodStats } from '../read-stats.ts';

export const streamPodSandboxStats = ({ engine }: Door, contract: CriContract): Streaming<Filtered<PodSandboxStatsFilter>, StreamPodSandboxStatsResponse> => {
  const codec = contract.codec<PodSandboxStats>('PodSandboxStats');
  return async function* stream({ filter }, signal) {
    const all = await readPodStats(engine, filter, signal);
    for (const podSandboxStats of batches(all, (stats) => codec.encode(stats).length)) yield { podSandboxStats };
  };
};
