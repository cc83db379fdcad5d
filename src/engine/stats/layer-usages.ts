import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerId, SnapshotKey } from '../../lib/ids.ts';
import type { Usage } from '../../native/port.ts';
import type { Snapshotter } from '../../snapshotter/port.ts';
import type { Background } from '../background.ts';

/** A big layer takes longer to walk than anybody should wait for its container's CPU and memory. */
const patienceMs = 500;

/** What containers have written. A reading that takes long is waited for in the background and found by the next one. */
export class LayerUsages {
  readonly #snapshotter: Pick<Snapshotter, 'usage'>;
  readonly #background: Background;
  readonly #last = new Map<ContainerId, Usage>();
  readonly #running = new Map<ContainerId, Promise<Usage>>();

  constructor(snapshotter: Pick<Snapshotter, 'usage'>, background: Background) {
    this.#snapshotter = snapshotter;
    this.#background = background;
  }

  /** The usage now, else the last one known, else nothing. */
  async of(id: ContainerId): Promise<Usage> {
    const patience = new AbortController();
    const running = this.#running.get(id) ?? this.#measure(id);
    try {
      return (await Promise.race([running, late(patience.signal)])) ?? this.#last.get(id) ?? { bytes: 0, inodes: 0 };
    } finally {
      patience.abort();
    }
  }

  forget(id: ContainerId): void {
    this.#last.delete(id);
  }

  #measure(id: ContainerId): Promise<Usage> {
    const usage = this.#snapshotter.usage(id as string as SnapshotKey, this.#background.signal);
    this.#running.set(id, usage);
    usage
      .then((result) => this.#last.set(id, result))
      .catch(() => undefined) // Whoever waits for it hears of it.
      .finally(() => this.#running.delete(id));
    return usage;
  }
}

async function late(signal: AbortSignal): Promise<undefined> {
  await sleep(patienceMs, undefined, { signal }).catch(() => undefined);
}
