import type { PodId } from '../../lib/ids.ts';
import { cleanUpSignal } from '../clean-up-signal.ts';
import type { EngineParts } from '../parts.ts';
import { removePod } from '../pods/remove-pod.ts';

/** Removes a pod whose restore failed or was cut off, so that it can be restored again. Tried until it succeeds; never rejects. */
export async function abandonRestored(parts: EngineParts, id: PodId): Promise<void> {
  try {
    await removePod(parts, id, cleanUpSignal());
  } catch (error) {
    parts.log.warn({ pod: id, err: error }, 'a pod that could not be restored was not removed; it is tried again');
    parts.background.retry('removing a pod that could not be restored', { pod: id }, (signal) => removePod(parts, id, signal));
  }
}
