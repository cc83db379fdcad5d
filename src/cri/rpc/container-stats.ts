import { nonEmpty } from '../codec/pick.ts';
import { encodeContainerStats } from '../codec/stats.ts';
import type { Door, Unary } from '../handler.ts';
import type { ContainerIdRequest } from '../messages/container.ts';
import type { ContainerStats, OneStats } from '../messages/stats.ts';

export const containerStats =
  ({ engine }: Door): Unary<ContainerIdRequest, OneStats<ContainerStats>> =>
  async ({ containerId }, signal) => {
    const container = engine.containers.get(nonEmpty(containerId, 'container_id'));
    return { stats: encodeContainerStats(await engine.containers.stats(container.id, signal), container) };
  };
