import type { ContainerService, PodService } from '../engine/port.ts';

/** What the streaming door needs of the engine. */
export interface StreamEngine {
  readonly containers: Pick<ContainerService, 'exec' | 'attach'>;
  readonly pods: Pick<PodService, 'forward'>;
}
