import type { Phase } from '../../lib/waterfall.ts';
import { annotate, recordPhases } from '../../telemetry/trace.ts';
import { batches } from '../batches.ts';
import { decodeContainerConfig } from '../codec/container-config.ts';
import { encodeContainer, encodeContainerStatus } from '../codec/container.ts';
import { decodeContainerFilter } from '../codec/filters.ts';
import { nonEmpty, required } from '../codec/pick.ts';
import { decodeResources } from '../codec/resources.ts';
import { imageIdIn } from '../find-images.ts';
import type { Caller, Door, Routes } from '../handler.ts';
import type { Empty } from '../messages/common.ts';
import type * as wire from '../messages/container.ts';
import { containerInfo } from '../verbose/container-info.ts';

export const containerRoutes = {
  /** The pod's config comes from its record; the copy in the request is not needed and may be absent. */
  async CreateContainer({ engine }: Door, { podSandboxId, config }: wire.CreateContainerRequest, { signal }: Caller): Promise<wire.CreateContainerResponse> {
    const beganMs = performance.now();
    const container = await engine.containers.create(nonEmpty(podSandboxId, 'pod_sandbox_id'), decodeContainerConfig(config), signal);
    annotate({ 'container.image.id': container.imageId });
    recordPhases(container.waterfall, beganMs);
    return { containerId: container.id };
  },

  async StartContainer({ engine }: Door, { containerId }: wire.ContainerIdRequest, { signal }: Caller): Promise<Empty> {
    const { id, podId, imageId, waterfall: creation } = engine.containers.get(nonEmpty(containerId, 'container_id'));
    annotate({ 'container.id': id, 'berth.pod.id': podId, 'container.image.id': imageId });
    const beganMs = performance.now();
    await engine.containers.start(id, signal);
    recordPhases(ofStart(creation, engine.containers.get(id).waterfall), beganMs);
    return {};
  },

  async StopContainer({ engine }: Door, { containerId, timeout }: wire.StopContainerRequest, { signal }: Caller): Promise<Empty> {
    await engine.containers.stop(nonEmpty(containerId, 'container_id'), Math.max(0, Number(timeout)) * 1000, signal);
    return {};
  },

  async RemoveContainer({ engine }: Door, { containerId }: wire.ContainerIdRequest, { signal }: Caller): Promise<Empty> {
    await engine.containers.remove(nonEmpty(containerId, 'container_id'), signal);
    return {};
  },

  async ContainerStatus({ engine }: Door, { containerId, verbose }: wire.ContainerStatusRequest): Promise<wire.ContainerStatusResponse> {
    const container = engine.containers.get(nonEmpty(containerId, 'container_id'));
    const info = verbose ? containerInfo(container, await engine.containers.spec(container.id)) : {};
    return { status: encodeContainerStatus(container, imageIdIn(engine.images)), info };
  },

  ListContainers({ engine }: Door, { filter }: wire.ListContainersRequest): wire.ListContainersResponse {
    return { containers: engine.containers.list(decodeContainerFilter(filter)).map(encodeContainer) };
  },

  *StreamContainers({ engine, contract }: Door, { filter }: wire.ListContainersRequest): Iterable<wire.ListContainersResponse> {
    const all = engine.containers.list(decodeContainerFilter(filter)).map(encodeContainer);
    for (const containers of batches(all, contract.sizeOf('Container'))) yield { containers };
  },

  async UpdateContainerResources({ engine }: Door, { containerId, linux }: wire.UpdateContainerResourcesRequest, { signal }: Caller): Promise<Empty> {
    await engine.containers.update(nonEmpty(containerId, 'container_id'), decodeResources(required(linux, 'linux')), signal);
    return {};
  },

  async ReopenContainerLog({ engine }: Door, { containerId }: wire.ContainerIdRequest, { signal }: Caller): Promise<Empty> {
    await engine.containers.reopenLog(nonEmpty(containerId, 'container_id'), signal);
    return {};
  },
} satisfies Routes;

/** A container's waterfall has the creation first, and the start where that ended. */
function ofStart(creation: readonly Phase[], whole: readonly Phase[]): readonly Phase[] {
  const endMs = Math.max(0, ...creation.map(({ startMs, durationMs }) => startMs + durationMs));
  return whole.slice(creation.length).map(({ name, startMs, durationMs }) => ({ name, startMs: startMs - endMs, durationMs }));
}
