import type { ExitReason } from './model/container.ts';

/** What the engine times. */
export type Operation = 'run-pod' | 'stop-pod' | 'remove-pod' | 'create-container' | 'start-container' | 'stop-container' | 'pause-container' | 'unpause-container' | 'remove-container' | 'exec-sync' | 'exec' | 'attach' | 'forward-port' | 'checkpoint-container' | 'checkpoint-pod' | 'restore-pod';

/** Hears how the engine's work went; metrics are made from it. Must not throw. */
export interface EngineObserver {
  /** One phase of an operation that makes or starts something. */
  startPhase(operation: Operation, phase: string, seconds: number): void;
  operation(operation: Operation, outcome: 'ok' | 'failed', seconds: number): void;
  containerExited(reason: ExitReason): void;
}
