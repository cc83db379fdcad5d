import { nonEmpty } from '../codec/pick.ts';
import type { Door, Unary } from '../handler.ts';
import type { Empty } from '../messages/common.ts';
import type { StopContainerRequest } from '../messages/container.ts';

export const stopContainer =
  ({ engine }: Door): Unary<StopContainerRequest, Empty> =>
  async ({ containerId, timeout }, signal) => {
    await engine.containers.stop(nonEmpty(containerId, 'container_id'), Math.max(0, Number(timeout)) * 1000, signal);
    return {};
  };
