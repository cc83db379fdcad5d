import type { Container } from '../../engine/model/container.ts';
import type { Pod } from '../../engine/model/pod.ts';

export type EventType = 'created' | 'started' | 'stopped' | 'deleted';

/** What the kubelet is told: the whole pod, as it is after what happened. For pod events `containerId` is the pod's id. */
export interface PodEvent {
  readonly type: EventType;
  readonly containerId: string;
  readonly atNs: bigint;
  /** undefined when the pod was deleted. */
  readonly pod: Pod | undefined;
  readonly containers: readonly Container[];
}
