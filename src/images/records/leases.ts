import type { Needs } from './unfinished-pulls.ts';

/** What work under way needs, so that nobody collects it. */
export class Leases {
  readonly #held = new Map<string, number>();

  /** Returns the release; releasing twice is harmless. */
  hold({ digests, snapshots }: Needs): () => void {
    const keys = [...digests, ...snapshots];
    for (const key of keys) this.#held.set(key, (this.#held.get(key) ?? 0) + 1);
    return () => {
      for (const key of keys.splice(0)) this.#drop(key);
    };
  }

  holds(key: string): boolean {
    return this.#held.has(key);
  }

  #drop(key: string): void {
    const left = (this.#held.get(key) ?? 0) - 1;
    if (left > 0) this.#held.set(key, left);
    else this.#held.delete(key);
  }
}
