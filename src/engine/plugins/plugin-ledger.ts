import type { ContainerId, PodId } from '../../lib/ids.ts';
import { KeyedMutex } from '../../lib/keyed-mutex.ts';
import type { NriCreation } from '../../nri/port.ts';

/** What plugins have been told of and no list shows, or are still to be told. */
export class PluginLedger {
  /** Pods that are being made and whose plugins have been asked. */
  readonly pods = new Set<PodId>();
  /** Pods whose stop no plugin has been told of yet. */
  readonly stopsOwed = new Set<PodId>();
  /** Containers that are being made and whose plugins have been asked. */
  readonly creations = new Map<ContainerId, NriCreation>();
  /** Held while plugins are told of a pod or container, so that they hear of its life in order. */
  readonly order = new KeyedMutex<ContainerId | PodId>();
}
