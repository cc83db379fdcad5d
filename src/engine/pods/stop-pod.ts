import { publishPod } from '../facts/publish.ts';
import type { Pod } from '../model/pod.ts';
import { observed } from '../observed.ts';
import type { EngineParts } from '../parts.ts';
import { podStops } from '../plugins/pod-hooks.ts';
import { stopContainer } from '../containers/stop-container.ts';
import { releasePodRuntime } from '../sandboxes/release-pod.ts';

/** See PodService.stop. What fails is thrown, so that the client calls again; the pod is notready by then. */
export async function stopPod(parts: EngineParts, id: string, signal: AbortSignal): Promise<void> {
  const pod = parts.pods.find(id);
  if (pod === undefined) return;
  await observed(parts, 'stop-pod', () => stopFoundPod(parts, pod, signal));
}

async function stopFoundPod(parts: EngineParts, pod: Pod, signal: AbortSignal): Promise<void> {
  const { id } = pod;
  // First of all, so that no container starts in it any more.
  const first = parts.pods.peek(id)?.state === 'ready';
  if (first) {
    parts.pods.transition(id, 'notready');
    if (parts.nri.active) parts.ledger.stopsOwed.add(id);
  }
  try {
    await Promise.all(parts.containers.ofPod(id).map((container) => stopContainer(parts, container.id, 0, signal)));
  } finally {
    // After the ends of its containers are told; also after a failure, since a later call is not the first.
    if (first) publishPod(parts, 'stopped', pod);
  }
  await parts.podLocks.run(
    id,
    async () => {
      if (parts.pods.peek(id) === undefined) return;
      await podStops(parts, id);
      await releasePodRuntime(parts, id, signal);
    },
    signal,
  );
}
