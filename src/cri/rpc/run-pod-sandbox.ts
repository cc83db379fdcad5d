import { recordPhases } from '../../telemetry/trace.ts';
import { decodePodConfig } from '../codec/pod-config.ts';
import type { Door, Unary } from '../handler.ts';
import type { RunPodSandboxRequest, RunPodSandboxResponse } from '../messages/sandbox.ts';

export const runPodSandbox =
  ({ engine }: Door): Unary<RunPodSandboxRequest, RunPodSandboxResponse> =>
  async ({ config, runtimeHandler }, signal) => {
    const beganMs = performance.now();
    const pod = await engine.pods.run(decodePodConfig(config, runtimeHandler), signal);
    recordPhases(pod.waterfall, beganMs);
    return { podSandboxId: pod.id };
  };
