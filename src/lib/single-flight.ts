import type { BerthError } from './errors.ts';
import { abortable } from './keyed-mutex.ts';

interface Flight<Result> {
  readonly result: Promise<Result>;
  readonly abort: AbortController;
  waiters: number;
}

const ended = (promise: Promise<unknown>): Promise<void> => promise.then(() => undefined, () => undefined);

/**
 * At most one piece of work for a key at a time. A second caller joins the one that runs; when the last caller leaves, the
 * work is told to give up, and a newcomer waits until it has cleaned up before beginning anew.
 */
export class SingleFlight<Result> {
  readonly #running = new Map<string, Flight<Result>>();
  readonly #closed = new AbortController();

  /** Rejects only after the work has ended, unless others still wait for it. */
  async run(key: string, work: (signal: AbortSignal) => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    for (;;) {
      signal?.throwIfAborted();
      this.#closed.signal.throwIfAborted();
      const running = this.#running.get(key) ?? this.#begin(key, work);
      if (!running.abort.signal.aborted) return this.#join(running, signal);
      await abortable(ended(running.result), signal);
    }
  }

  /** Aborts all work with the reason, refuses newcomers with it, and resolves when the work has ended. */
  async close(reason: BerthError): Promise<void> {
    this.#closed.abort(reason);
    const running = [...this.#running.values()];
    for (const { abort } of running) abort.abort(reason);
    await Promise.all(running.map(({ result }) => ended(result)));
  }

  #begin(key: string, work: (signal: AbortSignal) => Promise<Result>): Flight<Result> {
    const abort = new AbortController();
    const flight = { result: work(abort.signal), abort, waiters: 0 };
    this.#running.set(key, flight);
    void ended(flight.result).then(() => this.#running.delete(key));
    return flight;
  }

  async #join(flight: Flight<Result>, signal: AbortSignal | undefined): Promise<Result> {
    flight.waiters += 1;
    try {
      return await abortable(flight.result, signal);
    } catch (error) {
      if (signal?.aborted !== true || flight.waiters > 1) throw error;
      flight.abort.abort(signal.reason);
      return await flight.result;
    } finally {
      flight.waiters -= 1;
    }
  }
}
