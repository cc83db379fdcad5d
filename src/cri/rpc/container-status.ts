import { encodeContainerStatus } from '../codec/container.ts';
import { nonEmpty } from '../codec/pick.ts';
import { imageIdIn } from '../find-images.ts';
import type { Door, Unary } from '../handler.ts';
import type { ContainerStatusRequest, ContainerStatusResponse } from '../messages/container.ts';
import { containerInfo } from '../verbose/container-info.ts';

export const containerStatus =
  ({ engine }: Door): Unary<ContainerStatusRequest, ContainerStatusResponse> =>
  async ({ containerId, verbose }) => {
    const container = engine.containers.get(nonEmpty(containerId, 'container_id'));
    return { status: encodeContainerStatus(container, imageIdIn(engine.images)), info: verbose ? containerInfo(container, await engine.containers.spec(container.id)) : {} };
  };
