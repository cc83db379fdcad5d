import { existsSync } from 'node:fs';
import type { PodId } from '../../lib/ids.ts';
import type { Waterfall } from '../../lib/waterfall.ts';
import { publishPod } from '../facts/publish.ts';
import type { Pod } from '../model/pod.ts';
import type { EngineParts } from '../parts.ts';
import { podFailed, podStops } from '../plugins/pod-hooks.ts';
import { abandonPod } from './abandon-pod.ts';
import { makePodReady } from './make-pod-ready.ts';
import { releasePod } from './release-pod.ts';

/** Makes a container's own pod ready for a run; what the last run could not give back goes first. */
export async function readyOwnPod(parts: EngineParts, id: PodId, waterfall: Waterfall, signal: AbortSignal): Promise<Pod> {
  if (parts.pods.required(id).state === 'ready' || existsSync(parts.paths.pod(id))) await releaseOwnPod(parts, id, signal);
  parts.pods.transition(id, 'creating');
  try {
    const pod = await makePodReady(parts, id, waterfall, signal);
    publishPod(parts, 'started', pod);
    return pod;
  } catch (error) {
    await podFailed(parts, id);
    await abandonPod(parts, id);
    throw error;
  }
}

/** Ends a container's own pod for good, once no container is in it. */
export async function forgetOwnPod(parts: EngineParts, pod: Pod, signal: AbortSignal): Promise<void> {
  await releaseOwnPod(parts, pod.id, signal);
  parts.pods.delete(pod.id);
  parts.cpuRates.forget(pod.id);
  publishPod(parts, 'removed', pod);
}

/** Gives back all that a container's own pod holds once its run is over. Idempotent. */
export async function releaseOwnPod(parts: EngineParts, id: PodId, signal: AbortSignal): Promise<void> {
  await parts.podLocks.run(
    id,
    async () => {
      const pod = parts.pods.peek(id);
      if (pod === undefined || pod.state === 'creating') return;
      if (pod.state === 'ready') {
        publishPod(parts, 'stopped', parts.pods.transition(id, 'notready'));
        if (parts.nri.active) parts.ledger.stopsOwed.add(id);
      }
      await podStops(parts, id);
      await releasePod(parts, id, signal);
    },
    signal,
  );
}
