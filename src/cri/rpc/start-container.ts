import type { Phase } from '../../lib/waterfall.ts';
import { annotate, recordPhases } from '../../telemetry/trace.ts';
import { nonEmpty } from '../codec/pick.ts';
import type { Door, Unary } from '../handler.ts';
import type { Empty } from '../messages/common.ts';
import type { ContainerIdRequest } from '../messages/container.ts';

export const startContainer =
  ({ engine }: Door): Unary<ContainerIdRequest, Empty> =>
  async ({ containerId }, signal) => {
    const { id, podId, imageId, waterfall: creation } = engine.containers.get(nonEmpty(containerId, 'container_id'));
    annotate({ 'container.id': id, 'berth.pod.id': podId, 'container.image.id': imageId });
    const beganMs = performance.now();
    await engine.containers.start(id, signal);
    recordPhases(ofStart(creation, engine.containers.get(id).waterfall), beganMs);
    return {};
  };

/** A container's waterfall has the creation first, and the start where that ended. */
function ofStart(creation: readonly Phase[], whole: readonly Phase[]): readonly Phase[] {
  const endMs = Math.max(0, ...creation.map(({ startMs, durationMs }) => startMs + durationMs));
  return whole.slice(creation.length).map(({ name, startMs, durationMs }) => ({ name, startMs: startMs - endMs, durationMs }));
}
