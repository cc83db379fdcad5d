import { removeContainer } from '../containers/remove-container.ts';
import { publishPod } from '../facts/publish.ts';
import { observed } from '../observed.ts';
import type { EngineParts } from '../parts.ts';
import { podGoes } from '../plugins/pod-hooks.ts';
import { releasePod } from '../sandboxes/release-pod.ts';
import { stopPod } from './stop-pod.ts';

/** See PodService.remove. */
export async function removePod(parts: EngineParts, idOrPrefix: string, signal: AbortSignal): Promise<void> {
  const pod = parts.pods.find(idOrPrefix);
  if (pod === undefined) return;
  const { id } = pod;
  await observed(parts, 'remove-pod', async () => {
    await stopPod(parts, id, signal);
    await Promise.all(parts.containers.ofPod(id).map((container) => removeContainer(parts, container.id, signal)));
    await parts.podLocks.run(id, () => removeRecord(parts, id, signal), signal);
  });
}

async function removeRecord(parts: EngineParts, id: Parameters<typeof releasePod>[1], signal: AbortSignal): Promise<void> {
  const pod = parts.pods.peek(id);
  if (pod === undefined) return;
  await releasePod(parts, id, signal);
  await podGoes(parts, id);
  parts.pods.delete(id);
  parts.cpuRates.forget(id);
  publishPod(parts, 'removed', pod);
}
