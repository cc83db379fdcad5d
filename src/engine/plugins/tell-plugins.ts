import type { ContainerId, PodId } from '../../lib/ids.ts';
import { abortable } from '../../lib/keyed-mutex.ts';
import { cleanUpSignal } from '../clean-up-signal.ts';
import type { EngineParts } from '../parts.ts';

/**
 * Tells plugins of what has happened to a pod or container and cannot be refused any more. A plugin that hangs is disconnected
 * at its first call, but the line before one that is merely slow may be long: so the telling has no deadline and ends with
 * the engine, while the caller waits no longer than an undo may take. Never rejects.
 */
export async function tellPlugins(parts: EngineParts, id: ContainerId | PodId, tell: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const told = Promise.withResolvers<void>();
  parts.background.run('telling plugins', { id }, (signal) => parts.ledger.order.run(id, () => tell(signal), signal).finally(told.resolve));
  await abortable(told.promise, cleanUpSignal()).catch(() => undefined);
}
