import { isKind } from '../../lib/errors.ts';
import type { ContainerId } from '../../lib/ids.ts';
import { publishContainer } from '../facts/publish.ts';
import type { Container } from '../model/container.ts';
import { observed } from '../observed.ts';
import type { EngineParts } from '../parts.ts';
import { containerGoes } from '../plugins/container-hooks.ts';
import { forgetOwnPod, releaseOwnPod } from '../sandboxes/own-pod.ts';
import { endTask } from './end-task.ts';
import { releaseContainer } from './release-container.ts';
import { stopContainer } from './stop-container.ts';

/** See ContainerService.remove. Two removals at a time are one. */
export async function removeContainer(parts: EngineParts, idOrPrefix: string, signal: AbortSignal): Promise<void> {
  const container = parts.containers.find(idOrPrefix);
  if (container === undefined) return;
  const { id } = container;
  await observed(parts, 'remove-container', () => parts.removalFlights.run(id, (attempt) => remove(parts, id, attempt), signal));
}

async function remove(parts: EngineParts, id: ContainerId, signal: AbortSignal): Promise<void> {
  const container = await endForGood(parts, id, signal);
  if (container === undefined) return;
  // Without the lock, since plugins may answer by changing other containers, which may wait for this one in the same way.
  await containerGoes(parts, container);
  await parts.containerLocks.run(
    id,
    async () => {
      // The snapshot is in use until the task is deleted.
      await endTask(parts, id, signal);
      await releaseContainer(parts, id, signal);
      parts.containers.delete(id);
      await leaveOwnPod(parts, container, signal);
      parts.cpuRates.forget(id);
      parts.layerUsages.forget(id);
      publishContainer(parts, 'removed', container);
      parts.collector.request();
    },
    signal,
  );
}

/** Stops it once more where a start was in line before us. */
async function endForGood(parts: EngineParts, id: ContainerId, signal: AbortSignal): Promise<Container | undefined> {
  const mark = (): Promise<Container | undefined> => parts.containerLocks.run(id, async () => markRemoving(parts, id), signal);
  await stopContainer(parts, id, 0, signal);
  try {
    return await mark();
  } catch (error) {
    if (!isKind(error, 'precondition')) throw error;
  }
  await stopContainer(parts, id, 0, signal);
  return mark();
}

/** Returns the container as it was. The state is kept: after a crash, or when a later step fails, the next attempt goes on from it. */
function markRemoving(parts: EngineParts, id: ContainerId): Container | undefined {
  const container = parts.containers.peek(id);
  if (container !== undefined && container.state !== 'removing') parts.containers.transition(id, 'removing');
  return container;
}

/** A container's own pod is released with it, and gone with the last container in it. */
async function leaveOwnPod(parts: EngineParts, { id, podId }: Container, signal: AbortSignal): Promise<void> {
  const pod = parts.pods.peek(podId);
  if (pod?.ownedBy === undefined) return;
  if (parts.containers.ofPod(podId).length === 0) await forgetOwnPod(parts, pod, signal);
  else if (pod.ownedBy === id) await releaseOwnPod(parts, podId, signal);
}
