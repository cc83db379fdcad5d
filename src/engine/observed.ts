import type { Waterfall } from '../lib/waterfall.ts';
import type { Operation } from './observer.ts';
import type { EngineParts } from './parts.ts';

/** Runs an operation and tells the observer how it went. */
export async function observed<Result>(parts: EngineParts, operation: Operation, work: () => Promise<Result>): Promise<Result> {
  const startMs = parts.clock.monotonicMs();
  const seconds = (): number => (parts.clock.monotonicMs() - startMs) / 1000;
  try {
    const result = await work();
    parts.observer.operation(operation, 'ok', seconds());
    return result;
  } catch (error) {
    parts.observer.operation(operation, 'failed', seconds());
    throw error;
  }
}

/** Tells the observer where an operation's time went, and how much it was in all. */
export function observePhases(parts: EngineParts, operation: Operation, waterfall: Waterfall): void {
  for (const { name, durationMs } of waterfall.phases()) parts.observer.startPhase(operation, name, durationMs / 1000);
  parts.observer.startPhase(operation, 'total', waterfall.elapsedMs() / 1000);
}
