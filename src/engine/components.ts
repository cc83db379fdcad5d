import type { Network } from '../cni/port.ts';
import type { ImageService } from '../images/port.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Agent } from '../agent/port.ts';
import type { ShimLauncher } from '../shim/port.ts';
import type { Snapshotters } from '../snapshotter/port.ts';
import type { Nri } from '../nri/port.ts';
import type { StateStore } from '../state/port.ts';
import type { EngineObserver } from './observer.ts';

/** The drivers that the engine works with. */
export interface EngineComponents {
  readonly agent: Agent;
  readonly network: Network;
  readonly snapshotter: Snapshotters;
  readonly images: ImageService;
  readonly shims: ShimLauncher;
  readonly state: StateStore;
  readonly nri: Nri;
  readonly clock: Clock;
  readonly log: Log;
  readonly observer: EngineObserver;
}
