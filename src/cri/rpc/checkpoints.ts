import { BerthError } from '../../lib/errors.ts';
import { archiveNotes } from '../codec/archive-notes.ts';
import { decodeContainerConfig } from '../codec/container-config.ts';
import { noOptions } from '../codec/no-options.ts';
import { nonEmpty } from '../codec/pick.ts';
import { decodePodConfig } from '../codec/pod-config.ts';
import type { Caller, Door, Routes } from '../handler.ts';
import type { CheckpointPodRequest, RestorePodRequest, RestorePodResponse } from '../messages/checkpoint.ts';
import type { Empty } from '../messages/common.ts';
import type { CheckpointContainerRequest } from '../messages/container.ts';

export const checkpointRoutes = {
  async CheckpointContainer({ engine }: Door, { containerId, location, timeout }: CheckpointContainerRequest, { signal }: Caller): Promise<Empty> {
    if (timeout < 0n) throw new BerthError('invalid', `timeout must be 0 or more seconds, not ${timeout}`);
    const timeoutMs = timeout === 0n ? undefined : Number(timeout) * 1000;
    await engine.containers.checkpoint({ containerId: nonEmpty(containerId, 'container_id'), location: nonEmpty(location, 'location'), timeoutMs, notes: archiveNotes }, signal);
    return {};
  },

  /** All containers stand still meanwhile, so the client must say how long it would accept that. */
  async CheckpointPod({ engine }: Door, { podSandboxId, outputPath, containerIds, options }: CheckpointPodRequest, { signal, deadlineMs }: Caller): Promise<Empty> {
    if (!Number.isFinite(deadlineMs)) throw new BerthError('invalid', 'CheckpointPod needs a deadline', { hint: 'set one for the call' });
    noOptions(options);
    await engine.pods.checkpoint({ podId: nonEmpty(podSandboxId, 'pod_sandbox_id'), directory: nonEmpty(outputPath, 'output_path'), containerIds, notes: archiveNotes }, signal);
    return {};
  },

  async RestorePod({ engine }: Door, { checkpointPath, config, runtimeHandler, options, containerConfigs }: RestorePodRequest, { signal }: Caller): Promise<RestorePodResponse> {
    noOptions(options);
    const request = { directory: nonEmpty(checkpointPath, 'checkpoint_path'), config: decodePodConfig(config, runtimeHandler), containers: containerConfigs.map(decodeContainerConfig) };
    const { pod, containers } = await engine.pods.restore(request, signal);
    return { podSandboxId: pod.id, restoredContainers: containers.map(({ id, config: { name } }) => ({ name, containerId: id })) };
  },
} satisfies Routes;
