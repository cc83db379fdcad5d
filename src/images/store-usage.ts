import type { Usage } from '../agent/port.ts';
import type { ImageComponents } from './components.ts';
import type { StoreUsage } from './port.ts';

type Parts = Pick<ImageComponents, 'content' | 'snapshotters' | 'agent' | 'clock'>;

const freshForMs = 10_000;

/** What images and containers take on disk: blobs, downloads under way and all snapshots. Measured at most every ten seconds, unless images changed. */
export class StoreMeter {
  readonly #parts: Parts;
  #last: { readonly atMs: number; readonly usage: Promise<StoreUsage> } | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Images came or went: whoever frees space by removing them must see that it worked. */
  forget(): void {
    this.#last = undefined;
  }

  /** The measurement is shared, so no caller's signal ends it. */
  usage(): Promise<StoreUsage> {
    const atMs = this.#parts.clock.monotonicMs();
    if (this.#last !== undefined && atMs - this.#last.atMs < freshForMs) return this.#last.usage;
    const measured = { atMs, usage: this.#measure() };
    this.#last = measured;
    measured.usage.catch(() => {
      if (this.#last === measured) this.#last = undefined;
    });
    return measured.usage;
  }

  async #measure(): Promise<StoreUsage> {
    const { agent, content } = this.#parts;
    const all = [...(await agent.diskUsage([content.root])), ...(await this.#snapshots())];
    const bytes = all.reduce((sum, usage) => sum + usage.bytes, 0);
    const inodes = all.reduce((sum, usage) => sum + usage.inodes, 0);
    return { bytes, inodes, mountpoint: content.root };
  }

  #snapshots(): Promise<readonly Usage[]> {
    const { snapshotters } = this.#parts;
    const nothing = { bytes: 0, inodes: 0 };
    // One that vanishes meanwhile takes nothing any more.
    return Promise.all(snapshotters.list().map(({ key, usage }) => usage ?? snapshotters.usage(key).catch(() => nothing)));
  }
}
