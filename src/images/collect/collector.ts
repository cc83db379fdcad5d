import { isKind } from '../../lib/errors.ts';
import type { Digest, SnapshotKey } from '../../lib/ids.ts';
import { chainIds, isDigest } from '../../oci/digest.ts';
import type { SnapshotInfo } from '../../snapshotter/port.ts';
import type { ImageComponents } from '../components.ts';
import { unpackPrefix } from '../pull/unpack-layer.ts';
import type { ImageRecord } from '../records/image-record.ts';
import { leavesFirst } from './leaves-first.ts';

const lockName = 'collect';

/**
 * Removes layers and blobs that no image, no unfinished pull and no work under way needs. A layer under a container's
 * snapshot stays until the container goes.
 */
export class Collector {
  readonly #parts: ImageComponents;

  constructor(parts: ImageComponents) {
    this.#parts = parts;
  }

  /** One run at a time. Failures are logged: what could not go now goes at a later run. */
  async collect(signal?: AbortSignal): Promise<void> {
    await this.#parts.locks.run(lockName, () => this.#sweep(signal), signal);
  }

  /** Drops what unpacking left when the last process died. Only at start, when nobody unpacks. */
  async dropHalfUnpacked(): Promise<void> {
    const halves = this.#parts.snapshotter.list().filter(({ key, kind }) => kind === 'active' && key.startsWith(unpackPrefix));
    for (const { key } of halves) await this.#try(key, () => this.#parts.snapshotter.remove(key));
  }

  async #sweep(signal: AbortSignal | undefined): Promise<void> {
    const needed = this.#needed();
    const snapshots = this.#parts.snapshotter.list();
    for (const key of leavesFirst(snapshots, (snapshot) => isLayer(snapshot) && !needed.has(snapshot.key))) {
      signal?.throwIfAborted();
      await this.#removeUnleased(key, () => this.#parts.snapshotter.remove(key));
    }
    for (const digest of await this.#parts.content.list()) {
      signal?.throwIfAborted();
      if (!needed.has(digest)) await this.#removeUnleased(digest, () => this.#parts.content.remove(digest));
    }
  }

  #needed(): ReadonlySet<string> {
    const needed = new Set<string>();
    for (const { digests, snapshots } of this.#parts.unfinished.needs()) for (const key of [...digests, ...snapshots]) needed.add(key);
    for (const record of this.#parts.catalog.records()) for (const key of this.#neededBy(record)) needed.add(key);
    return needed;
  }

  #neededBy({ documents, layers }: ImageRecord): readonly string[] {
    const blobs = this.#parts.discardUnpackedLayers ? [] : layers.map(({ digest }) => digest);
    return [...documents, ...blobs, ...chainIds(layers.map(({ diffId }) => diffId))];
  }

  /** The lease is looked at under the lock: a pull takes its lease first and looks for the thing under the lock, too. */
  #removeUnleased(key: Digest | SnapshotKey, remove: () => Promise<void>): Promise<void> {
    return this.#parts.locks.run(key, async () => {
      if (!this.#parts.leases.holds(key) && !this.#isNeededNow(key)) await this.#try(key, remove);
    });
  }

  /** A pull that ended during the sweep has no lease any more, but has its record. */
  #isNeededNow(key: string): boolean {
    return this.#needed().has(key);
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
