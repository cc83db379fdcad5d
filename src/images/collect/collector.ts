import { isKind } from '../../lib/errors.ts';
import type { Digest, SnapshotKey } from '../../lib/ids.ts';
import { KeyedMutex } from '../../lib/keyed-mutex.ts';
import { chainIds, isDigest } from '../../oci/digest.ts';
import type { SnapshotInfo, Snapshotter } from '../../snapshotter/port.ts';
import type { ImageComponents } from '../components.ts';
import { unpackPrefix } from '../pull/unpack-layer.ts';
import type { ImageRecord } from '../records/image-record.ts';
import { leavesFirst } from './leaves-first.ts';

interface Needed {
  readonly digests: ReadonlySet<Digest>;
  readonly snapshots: ReadonlySet<SnapshotKey>;
}

/**
 * Removes layers and blobs that no image, no unfinished pull and no work under way needs. A layer under a container's
 * snapshot stays until the container goes.
 */
export class Collector {
  readonly #parts: ImageComponents;
  readonly #turn = new KeyedMutex<'sweep'>();
  #soon: Promise<void> = Promise.resolve();

  constructor(parts: ImageComponents) {
    this.#parts = parts;
  }

  /** One run at a time. Failures are logged: what could not go now goes at a later run. */
  async collect(signal?: AbortSignal): Promise<void> {
    await this.#turn.run('sweep', () => this.#sweep(signal), signal);
  }

  /** Starts a run that nobody waits for. */
  collectSoon(): void {
    this.#soon = this.collect().catch((error: unknown) => {
      this.#parts.log.warn({ err: error }, 'cannot collect image content');
    });
  }

  /** Resolves when runs that were started so are over. */
  async idle(): Promise<void> {
    await this.#soon;
  }

  /** Drops what unpacking left when the last process died. Only at start, when nobody unpacks. */
  async dropHalfUnpacked(): Promise<void> {
    const { snapshotters } = this.#parts;
    const halves = snapshotters.list().filter(({ key, kind }) => kind === 'active' && key.startsWith(unpackPrefix));
    for (const { key } of halves) await this.#try(key, () => snapshotters.remove(key));
  }

  async #sweep(signal: AbortSignal | undefined): Promise<void> {
    const { snapshots, digests } = this.#needed();
    const { leases, snapshotters, content } = this.#parts;
    const mayGo = (snapshot: SnapshotInfo): boolean => isLayer(snapshot) && !snapshots.has(snapshot.key) && !leases.holdsSnapshot(snapshot.key);
    for (const snapshotter of snapshotters.all) {
      for (const key of leavesFirst(snapshotter.list(), mayGo)) {
        signal?.throwIfAborted();
        await this.#removeLayer(snapshotter, key);
      }
    }
    for (const digest of await content.list()) {
      signal?.throwIfAborted();
      if (!digests.has(digest) && !leases.holdsBlob(digest)) await this.#removeBlob(digest);
    }
  }

  #needed(): Needed {
    const records = [...this.#parts.catalog.records()];
    const unfinished = this.#parts.unfinished.needs();
    return {
      digests: new Set([...unfinished.flatMap(({ digests }) => digests), ...records.flatMap((record) => this.#blobsOf(record))]),
      snapshots: new Set([...unfinished.flatMap(({ snapshots }) => snapshots), ...records.flatMap(({ layers }) => chainIds(layers.map(({ diffId }) => diffId)))]),
    };
  }

  #blobsOf({ documents, layers }: ImageRecord): readonly Digest[] {
    return this.#parts.discardUnpackedLayers ? documents : [...documents, ...layers.map(({ digest }) => digest)];
  }

  /**
   * Looked at again under the lock: a pull takes its lease before it looks for the thing under the same lock, and one that
   * ended during the sweep has no lease any more but its record.
   */
  #removeLayer(snapshotter: Snapshotter, key: SnapshotKey): Promise<void> {
    const { layerLocks, leases } = this.#parts;
    return layerLocks.run(key, async () => {
      if (!leases.holdsSnapshot(key) && !this.#needed().snapshots.has(key)) await this.#try(key, () => snapshotter.remove(key));
    });
  }

  #removeBlob(digest: Digest): Promise<void> {
    const { blobLocks, leases, content } = this.#parts;
    return blobLocks.run(digest, async () => {
      if (!leases.holdsBlob(digest) && !this.#needed().digests.has(digest)) await this.#try(digest, () => content.remove(digest));
    });
  }

  async #try(key: string, remove: () => Promise<void>): Promise<void> {
    try {
      await remove();
    } catch (error) {
      // A container stands on it.
      if (!isKind(error, 'precondition')) this.#parts.log.warn({ key, err: error }, 'cannot free image content');
    }
  }
}

function isLayer({ key, kind }: SnapshotInfo): boolean {
  return kind === 'committed' && isDigest(key);
}
