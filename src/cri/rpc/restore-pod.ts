import { decodeContainerConfig } from '../codec/container-config.ts';
import { noOptions } from '../codec/no-options.ts';
import { nonEmpty } from '../codec/pick.ts';
import { decodePodConfig } from '../codec/pod-config.ts';
import type { Door, Unary } from '../handler.ts';
import type { RestorePodRequest, RestorePodResponse } from '../messages/checkpoint.ts';

export const restorePod =
  ({ engine }: Door): Unary<RestorePodRequest, RestorePodResponse> =>
  async ({ checkpointPath, config, runtimeHandler, options, containerConfigs }, signal) => {
    noOptions(options);
    const request = { directory: nonEmpty(checkpointPath, 'checkpoint_path'), config: decodePodConfig(config, runtimeHandler), containers: containerConfigs.map(decodeContainerConfig) };
    const { pod, containers } = await engine.pods.restore(request, signal);
    return { podSandboxId: pod.id, restoredContainers: containers.map(({ id, config: { name } }) => ({ name, containerId: id })) };
  };
