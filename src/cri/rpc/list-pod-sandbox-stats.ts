import type { Door, Unary } from '../handler.ts';
import type { Filtered, ManyStats, PodSandboxStats, PodSandboxStatsFilter } from '../messages/stats.ts';
import { readPodStats } from '../read-stats.ts';

export const listPodSandboxStats =
  ({ engine }: Door): Unary<Filtered<PodSandboxStatsFilter>, ManyStats<PodSandboxStats>> =>
  async ({ filter }, signal) => ({ stats: await readPodStats(engine, filter, signal) });
