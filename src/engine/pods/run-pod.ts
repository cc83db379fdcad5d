import { Waterfall } from '../../lib/waterfall.ts';
import { publishPod } from '../facts/publish.ts';
import type { Pod, PodConfig } from '../model/pod.ts';
import { observed, observePhases } from '../observed.ts';
import type { EngineParts } from '../parts.ts';
import { podFailed } from '../plugins/pod-hooks.ts';
import { podName } from '../stores/pod-store.ts';
import { abandonPod } from '../sandboxes/abandon-pod.ts';
import { checkPodConfig } from '../sandboxes/check-pod-config.ts';
import { makePodReady } from '../sandboxes/make-pod-ready.ts';
import { checkPodKey, recordPod } from '../sandboxes/record-pod.ts';

/** See PodService.run. */
export function runPod(parts: EngineParts, config: PodConfig, signal: AbortSignal): Promise<Pod> {
  return observed(parts, 'run-pod', async () => {
    checkPodConfig(parts, config);
    return parts.podFlights.run(podName(config), (attempt) => makePod(parts, config, attempt), signal);
  });
}

async function makePod(parts: EngineParts, config: PodConfig, signal: AbortSignal): Promise<Pod> {
  checkPodKey(parts, config);
  const { id } = recordPod(parts, config);
  const waterfall = new Waterfall(parts.clock);
  try {
    const pod = await makePodReady(parts, id, waterfall, signal);
    observePhases(parts, 'run-pod', waterfall);
    publishPod(parts, 'created', pod);
    publishPod(parts, 'started', pod);
    return pod;
  } catch (error) {
    await podFailed(parts, id);
    await abandonPod(parts, id);
    throw error;
  }
}
