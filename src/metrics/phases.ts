import type { Phase } from '../lib/waterfall.ts';

/** From the beginning of the operation to the end of its last phase, in milliseconds. */
export function longestPhaseMs(phases: readonly Phase[]): number {
  return Math.max(0, ...phases.map((phase) => phase.startMs + phase.durationMs));
}
