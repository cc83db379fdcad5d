import type { PodId } from '../../lib/ids.ts';
import { cleanUpSignal } from '../clean-up-signal.ts';
import { publishPod } from '../facts/publish.ts';
import type { EngineParts } from '../parts.ts';
import { releasePod } from './release-pod.ts';

/**
 * Undoes what a failed run made. What could not be undone stays visible as notready, and is tried again; so does a container's
 * own, for the next start. Never rejects.
 */
export async function abandonPod(parts: EngineParts, id: PodId): Promise<void> {
  try {
    await releasePod(parts, id, cleanUpSignal());
    if (parts.pods.required(id).ownedBy === undefined) parts.pods.delete(id);
    else parts.pods.transition(id, 'notready');
  } catch (error) {
    parts.log.warn({ pod: id, err: error }, 'a pod that failed to start could not be undone; it stays as notready and is tried again');
    parts.background.retry('releasing a failed pod', { pod: id }, (signal) => releaseAbandoned(parts, id, signal));
    show(parts, id);
  }
}

function show(parts: EngineParts, id: PodId): void {
  try {
    publishPod(parts, 'stopped', parts.pods.transition(id, 'notready'));
  } catch (error) {
    // The disk is full, perhaps the reason for all of this; the retry goes on regardless.
    parts.log.error({ pod: id, err: error }, 'a pod that failed to start could not even be recorded as notready');
  }
}

/** A client may have removed the pod meanwhile, or started the container whose own it is, which released it first. */
function releaseAbandoned(parts: EngineParts, id: PodId, signal: AbortSignal): Promise<void> {
  return parts.podLocks.run(
    id,
    async () => {
      const pod = parts.pods.peek(id);
      if (pod === undefined || (pod.ownedBy !== undefined && pod.state !== 'notready')) return;
      await releasePod(parts, id, signal);
      if (pod.ownedBy !== undefined) return;
      parts.pods.delete(id);
      publishPod(parts, 'removed', pod);
    },
    signal,
  );
}
