import { nonEmpty } from '../codec/pick.ts';
import { encodePodStatus } from '../codec/pod.ts';
import type { Door, Unary } from '../handler.ts';
import type { PodSandboxStatusRequest, PodSandboxStatusResponse } from '../messages/sandbox.ts';
import { podInfo } from '../verbose/pod-info.ts';

/** Leaves `timestamp` and `containers_statuses` unset: one without the other misleads the kubelet. */
export const podSandboxStatus =
  ({ engine }: Door): Unary<PodSandboxStatusRequest, PodSandboxStatusResponse> =>
  ({ podSandboxId, verbose }) => {
    const pod = engine.pods.get(nonEmpty(podSandboxId, 'pod_sandbox_id'));
    return { status: encodePodStatus(pod), info: verbose ? podInfo(pod, engine.pods.environment(pod.id)) : {} };
  };
