import type { Clock } from '../lib/clock.ts';
import type { Digest, SnapshotKey } from '../lib/ids.ts';
import type { KeyedMutex } from '../lib/keyed-mutex.ts';
import type { Log } from '../lib/log.ts';
import type { Agent } from '../agent/port.ts';
import type { Platform } from '../oci/platform.ts';
import type { Snapshotters } from '../snapshotter/port.ts';
import type { ContentStore } from './content/content-store.ts';
import type { ImageObserver } from './observer.ts';
import type { ImageCatalog } from './records/image-catalog.ts';
import type { Leases } from './records/leases.ts';
import type { UnfinishedPulls } from './records/unfinished-pulls.ts';

/** The parts that every piece of image work shares. */
export interface ImageComponents {
  readonly content: ContentStore;
  readonly snapshotters: Snapshotters;
  readonly agent: Pick<Agent, 'unpack' | 'diskUsage'>;
  readonly catalog: ImageCatalog;
  readonly unfinished: UnfinishedPulls;
  readonly leases: Leases;
  /** Held while a blob is looked for, kept or removed, but not while it comes. */
  readonly blobLocks: KeyedMutex<Digest>;
  /** Held while a blob comes from one origin; keys name both. Its blob's lock may be taken meanwhile, never the other way round. */
  readonly downloadLocks: KeyedMutex<string>;
  /** Held while a layer's snapshot is made or removed. */
  readonly layerLocks: KeyedMutex<SnapshotKey>;
  readonly node: Platform;
  readonly clock: Clock;
  readonly log: Pick<Log, 'warn'>;
  readonly observer: ImageObserver;
  /** Layer blobs are dropped once unpacked. */
  readonly discardUnpackedLayers: boolean;
}
