import type { ContainerId } from '../../lib/ids.ts';
import type { EngineParts } from '../parts.ts';
import { adoptTask } from './adopt-task.ts';
import { buryLost } from './bury-lost.ts';

/** A shim that does not answer within this time is given up by whoever wants the container's end. */
const attachMs = 5000;

/**
 * Ends the doubt about a container whose shim did not answer after a restart, or whose start failed and could not be
 * recorded, which is what one is that still starts when its lock is free: either it runs on under our eyes, or its shim
 * is buried with all that it left. For callers who want the container's end, so that the latter is no loss.
 */
export function resolveUnknown(parts: EngineParts, id: ContainerId, signal: AbortSignal): Promise<void> {
  return parts.containerLocks.run(
    id,
    async () => {
      const container = parts.containers.peek(id);
      if (container?.state !== 'unknown' && container?.state !== 'starting') return;
      const { task } = container;
      try {
        await adoptTask(parts, container, AbortSignal.any([signal, AbortSignal.timeout(attachMs)]));
      } catch (error) {
        signal.throwIfAborted();
        if (task === undefined) throw error;
        parts.log.warn({ container: id, err: error }, 'a shim does not answer; it is buried');
        await buryLost(parts, id, task, signal);
      }
    },
    signal,
  );
}
