import { recordPhases } from '../../telemetry/trace.ts';
import { nonEmpty } from '../codec/pick.ts';
import type { Door, Unary } from '../handler.ts';
import type { Empty } from '../messages/common.ts';
import type { ContainerIdRequest } from '../messages/container.ts';

export const startContainer =
  ({ engine }: Door): Unary<ContainerIdRequest, Empty> =>
  async ({ containerId }, signal) => {
    const { id } = engine.containers.get(nonEmpty(containerId, 'container_id'));
    await engine.containers.start(id, signal);
    recordPhases(engine.containers.get(id).waterfall);
    return {};
  };
