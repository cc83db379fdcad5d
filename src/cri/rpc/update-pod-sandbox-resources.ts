import { nonEmpty } from '../codec/pick.ts';
import { decodeOptionalResources } from '../codec/resources.ts';
import type { Door, Unary } from '../handler.ts';
import type { Empty } from '../messages/common.ts';
import type { UpdatePodSandboxResourcesRequest } from '../messages/sandbox.ts';

export const updatePodSandboxResources =
  ({ engine }: Door): Unary<UpdatePodSandboxResourcesRequest, Empty> =>
  async ({ podSandboxId, overhead, resources }, signal) => {
    await engine.pods.updateResources(nonEmpty(podSandboxId, 'pod_sandbox_id'), { overhead: decodeOptionalResources(overhead), resources: decodeOptionalResources(resources) }, signal);
    return {};
  };
