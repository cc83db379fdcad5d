import { annotate, recordPhases } from '../../telemetry/trace.ts';
import { decodeContainerConfig } from '../codec/container-config.ts';
import { nonEmpty } from '../codec/pick.ts';
import type { Door, Unary } from '../handler.ts';
import type { CreateContainerRequest, CreateContainerResponse } from '../messages/container.ts';

/** The pod's config comes from its record; the copy in the request is not needed and may be absent. */
export const createContainer =
  ({ engine }: Door): Unary<CreateContainerRequest, CreateContainerResponse> =>
  async ({ podSandboxId, config }, signal) => {
    const beganMs = performance.now();
    const container = await engine.containers.create(nonEmpty(podSandboxId, 'pod_sandbox_id'), decodeContainerConfig(config), signal);
    annotate({ 'container.image.id': container.imageId });
    recordPhases(container.waterfall, beganMs);
    return { containerId: container.id };
  };
