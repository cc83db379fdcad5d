import type { Door, Unary } from '../handler.ts';
import type { ContainerStats, ContainerStatsFilter, Filtered, ManyStats } from '../messages/stats.ts';
import { readContainerStats } from '../read-stats.ts';

export const listContainerStats =
  ({ engine }: Door): Unary<Filtered<ContainerStatsFilter>, ManyStats<ContainerStats>> =>
  async ({ filter }, signal) => ({ stats: await readContainerStats(engine, filter, signal) });
