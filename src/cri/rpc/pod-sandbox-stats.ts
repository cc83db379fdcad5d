import { nonEmpty } from '../codec/pick.ts';
import type { Door, Unary } from '../handler.ts';
import type { PodSandboxIdRequest } from '../messages/sandbox.ts';
import type { OneStats, PodSandboxStats } from '../messages/stats.ts';
import { podStatsMessage } from '../read-stats.ts';

export const podSandboxStats =
  ({ engine }: Door): Unary<PodSandboxIdRequest, OneStats<PodSandboxStats>> =>
  async ({ podSandboxId }, signal) => {
    const pod = engine.pods.get(nonEmpty(podSandboxId, 'pod_sandbox_id'));
    return { stats: podStatsMessage(engine, pod, await engine.pods.stats(pod.id, signal)) };
  };
