import { abortable } from './keyed-mutex.ts';

/**
 * A fixed number of places for work, taken first come, first served. A free one is taken without a turn of the event loop,
 * which a container's start would pay for.
 */
export class Places {
  readonly #waiting = new Set<PromiseWithResolvers<void>>();
  #free: number;

  constructor(count: number) {
    this.#free = count;
  }

  /**
   * Rejects with the signal's reason if it aborts while waiting; running work has to heed the signal itself, and may give
   * its place up before it ends.
   */
  async run<Result>(work: (giveUp: () => void) => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    signal?.throwIfAborted();
    if (this.#free > 0) this.#free -= 1;
    else await this.#turn(signal);
    let held = true;
    const giveUp = (): void => {
      if (held) this.#pass();
      held = false;
    };
    try {
      return await work(giveUp);
    } finally {
      giveUp();
    }
  }

  async #turn(signal: AbortSignal | undefined): Promise<void> {
    const turn = Promise.withResolvers<void>();
    this.#waiting.add(turn);
    try {
      await abortable(turn.promise, signal);
    } catch (error) {
      // A place may have been handed over in the same moment; it goes on to the next.
      if (!this.#waiting.delete(turn)) this.#pass();
      throw error;
    }
  }

  /** Hands the place on, so that nobody can slip in between. */
  #pass(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free += 1;
      return;
    }
    this.#waiting.delete(next);
    next.resolve();
  }
}
