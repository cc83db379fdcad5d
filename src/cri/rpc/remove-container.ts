import { nonEmpty } from '../codec/pick.ts';
import type { Door, Unary } from '../handler.ts';
import type { Empty } from '../messages/common.ts';
import type { ContainerIdRequest } from '../messages/container.ts';

export const removeContainer =
  ({ engine }: Door): Unary<ContainerIdRequest, Empty> =>
  async ({ containerId }, signal) => {
    await engine.containers.remove(nonEmpty(containerId, 'container_id'), signal);
    return {};
  };
