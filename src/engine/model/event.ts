import type { Container } from './container.ts';
import type { Pod } from './pod.ts';

export type EventType = 'created' | 'started' | 'stopped' | 'deleted';

/** Told after the store shows the new state. For pod events `containerId` is the pod's id. */
export interface EngineEvent {
  readonly type: EventType;
  readonly containerId: string;
  readonly atNs: bigint;
  /** undefined when the pod was deleted. */
  readonly pod: Pod | undefined;
  readonly containers: readonly Container[];
}
