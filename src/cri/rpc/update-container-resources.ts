import { nonEmpty, required } from '../codec/pick.ts';
import { decodeResources } from '../codec/resources.ts';
import type { Door, Unary } from '../handler.ts';
import type { Empty } from '../messages/common.ts';
import type { UpdateContainerResourcesRequest } from '../messages/container.ts';

export const updateContainerResources =
  ({ engine }: Door): Unary<UpdateContainerResourcesRequest, Empty> =>
  async ({ containerId, linux }, signal) => {
    await engine.containers.update(nonEmpty(containerId, 'container_id'), decodeResources(required(linux, 'linux')), signal);
    return {};
  };
