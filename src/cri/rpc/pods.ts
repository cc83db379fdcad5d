import { recordPhases } from '../../telemetry/trace.ts';
import { batches } from '../batches.ts';
import { decodePodFilter } from '../codec/filters.ts';
import { nonEmpty } from '../codec/pick.ts';
import { decodePodConfig } from '../codec/pod-config.ts';
import { encodePod, encodePodStatus } from '../codec/pod.ts';
import { decodeOptionalResources } from '../codec/resources.ts';
import type { Caller, Door, Routes } from '../handler.ts';
import type { Empty } from '../messages/common.ts';
import type * as wire from '../messages/sandbox.ts';
import { podInfo } from '../verbose/pod-info.ts';

export const podRoutes = {
  async RunPodSandbox({ engine }: Door, { config, runtimeHandler }: wire.RunPodSandboxRequest, { signal }: Caller): Promise<wire.RunPodSandboxResponse> {
    const beganMs = performance.now();
    const pod = await engine.pods.run(decodePodConfig(config, runtimeHandler), signal);
    recordPhases(pod.waterfall, beganMs);
    return { podSandboxId: pod.id };
  },

  async StopPodSandbox({ engine }: Door, { podSandboxId }: wire.PodSandboxIdRequest, { signal }: Caller): Promise<Empty> {
    await engine.pods.stop(nonEmpty(podSandboxId, 'pod_sandbox_id'), signal);
    return {};
  },

  async RemovePodSandbox({ engine }: Door, { podSandboxId }: wire.PodSandboxIdRequest, { signal }: Caller): Promise<Empty> {
    await engine.pods.remove(nonEmpty(podSandboxId, 'pod_sandbox_id'), signal);
    return {};
  },

  /** Leaves `timestamp` and `containers_statuses` unset: one without the other misleads the kubelet. */
  PodSandboxStatus({ engine }: Door, { podSandboxId, verbose }: wire.PodSandboxStatusRequest): wire.PodSandboxStatusResponse {
    const pod = engine.pods.get(nonEmpty(podSandboxId, 'pod_sandbox_id'));
    return { status: encodePodStatus(pod), info: verbose ? podInfo(pod, engine.pods.environment(pod.id)) : {} };
  },

  ListPodSandbox({ engine }: Door, { filter }: wire.ListPodSandboxRequest): wire.ListPodSandboxResponse {
    return { items: engine.pods.list(decodePodFilter(filter)).map(encodePod) };
  },

  *StreamPodSandboxes({ engine, contract }: Door, { filter }: wire.ListPodSandboxRequest): Iterable<wire.StreamPodSandboxesResponse> {
    const pods = engine.pods.list(decodePodFilter(filter)).map(encodePod);
    for (const podSandboxes of batches(pods, contract.sizeOf('PodSandbox'))) yield { podSandboxes };
  },

  async UpdatePodSandboxResources({ engine }: Door, { podSandboxId, overhead, resources }: wire.UpdatePodSandboxResourcesRequest, { signal }: Caller): Promise<Empty> {
    const wanted = { overhead: decodeOptionalResources(overhead), resources: decodeOptionalResources(resources) };
    await engine.pods.updateResources(nonEmpty(podSandboxId, 'pod_sandbox_id'), wanted, signal);
    return {};
  },
} satisfies Routes;
