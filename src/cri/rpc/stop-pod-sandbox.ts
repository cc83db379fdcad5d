import { nonEmpty } from '../codec/pick.ts';
import type { Door, Unary } from '../handler.ts';
import type { Empty } from '../messages/common.ts';
import type { PodSandboxIdRequest } from '../messages/sandbox.ts';

export const stopPodSandbox =
  ({ engine }: Door): Unary<PodSandboxIdRequest, Empty> =>
  async ({ podSandboxId }, signal) => {
    await engine.pods.stop(nonEmpty(podSandboxId, 'pod_sandbox_id'), signal);
    return {};
  };
