import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerId } from '../../lib/ids.ts';
import type { Log } from '../../lib/log.ts';
import type { Usage } from '../../agent/port.ts';
import type { Background } from '../background.ts';

/** A big layer takes longer to walk than anybody should wait for its container's CPU and memory. */
const patienceMs = 500;

/**
 * What containers have written. A reading that takes long is waited for in the background and found by the next one; one
 * that fails costs nobody the other statistics.
 */
export class LayerUsages {
  readonly #usage: (id: ContainerId, signal: AbortSignal) => Promise<Usage>;
  readonly #background: Background;
  readonly #last = new Map<ContainerId, Usage>();
  readonly #running = new Map<ContainerId, Promise<Usage | undefined>>();
  readonly #warned = new Set<ContainerId>();
  readonly #log: Log;

  constructor(usage: (id: ContainerId, signal: AbortSignal) => Promise<Usage>, background: Background, log: Log) {
    this.#usage = usage;
    this.#background = background;
    this.#log = log;
  }

  /** The usage now, else the last one known, else nothing. Never rejects. */
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
    this.#running.delete(id);
    this.#warned.delete(id);
  }

  #measure(id: ContainerId): Promise<Usage | undefined> {
    const running = this.#read(id).then((usage) => {
      // Else it is forgotten: the container is gone.
      if (this.#running.get(id) !== running) return usage;
      this.#running.delete(id);
      if (usage !== undefined) this.#last.set(id, usage);
      return usage;
    });
    this.#running.set(id, running);
    return running;
  }

  async #read(id: ContainerId): Promise<Usage | undefined> {
    try {
      return await this.#usage(id, this.#background.signal);
    } catch (error) {
      this.#warn(id, error);
      return undefined;
    }
  }

  /** Once a container: the next poll is seconds away, and whatever is wrong with its layer stays so. */
  #warn(id: ContainerId, error: unknown): void {
    if (this.#background.signal.aborted || this.#warned.has(id) || !this.#running.has(id)) return;
    this.#warned.add(id);
    this.#log.warn({ container: id, err: error }, 'what a container has written cannot be measured; its statistics show what was known last');
  }
}

async function late(signal: AbortSignal): Promise<undefined> {
  await sleep(patienceMs, undefined, { signal }).catch(() => undefined);
}
