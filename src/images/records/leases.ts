import type { Digest, SnapshotKey } from '../../lib/ids.ts';
import type { Needs } from './unfinished-pulls.ts';

/** Counts the holders of each key. */
class Holds<Key> {
  readonly #counts = new Map<Key, number>();

  add(keys: readonly Key[]): void {
    for (const key of keys) this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  drop(keys: readonly Key[]): void {
    for (const key of keys) {
      const left = (this.#counts.get(key) ?? 0) - 1;
      if (left > 0) this.#counts.set(key, left);
      else this.#counts.delete(key);
    }
  }

  has(key: Key): boolean {
    return this.#counts.has(key);
  }
}

/** What work under way needs, so that nobody collects it. */
export class Leases {
  // Apart, since the lowest layer's snapshot and its blob have the same name when the blob is not compressed.
  readonly #digests = new Holds<Digest>();
  readonly #snapshots = new Holds<SnapshotKey>();

  /** Returns the release, to be called once. */
  hold({ digests, snapshots }: Needs): () => void {
    this.#digests.add(digests);
    this.#snapshots.add(snapshots);
    return () => {
      this.#digests.drop(digests);
      this.#snapshots.drop(snapshots);
    };
  }

  holdsBlob(digest: Digest): boolean {
    return this.#digests.has(digest);
  }

  holdsSnapshot(key: SnapshotKey): boolean {
    return this.#snapshots.has(key);
  }
}
