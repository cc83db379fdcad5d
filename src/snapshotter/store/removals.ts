import type { Places } from '../../lib/places.ts';
import type { Log } from '../../lib/log.ts';
import type { Agent } from '../../agent/port.ts';
import type { SnapshotDirs } from './snapshot-dirs.ts';

/** Deletes snapshot directories in the background. What fails is left for cleanup(). */
export class Removals {
  readonly #agent: Pick<Agent, 'removeTree'>;
  readonly #log: Pick<Log, 'warn'>;
  readonly #dirs: SnapshotDirs;
  readonly #places: Places;
  readonly #running = new Map<number, Promise<void>>();

  constructor(components: { readonly agent: Pick<Agent, 'removeTree'>; readonly log: Pick<Log, 'warn'>; readonly dirs: SnapshotDirs; readonly places: Places }) {
    this.#agent = components.agent;
    this.#log = components.log;
    this.#dirs = components.dirs;
    this.#places = components.places;
  }

  start(dir: number): void {
    const removal = this.#remove(dir).finally(() => this.#running.delete(dir));
    this.#running.set(dir, removal);
  }

  has(dir: number): boolean {
    return this.#running.has(dir);
  }

  /** Resolves when everything that was started has ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#running.values());
  }

  async #remove(dir: number): Promise<void> {
    const path = this.#dirs.path(dir);
    try {
      await this.#places.run(() => this.#agent.removeTree(path));
    } catch (err) {
      this.#log.warn({ path, err }, 'a removed snapshot still has its files; the next cleanup tries again');
    }
  }
}
