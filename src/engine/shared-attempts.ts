import { abortable } from '../lib/keyed-mutex.ts';

interface Attempt<Result> {
  readonly result: Promise<Result>;
  readonly abort: AbortController;
  waiters: number;
}

const ended = (promise: Promise<unknown>): Promise<void> => promise.then(() => undefined, () => undefined);

/**
 * At most one attempt for a name at a time. A second caller joins the one that runs; when the last caller leaves, the
 * attempt is told to give up, and a newcomer waits until it has cleaned up before making its own.
 */
export class SharedAttempts<Result> {
  readonly #running = new Map<string, Attempt<Result>>();

  /** Rejects only after the attempt has ended, unless others still wait for it. */
  async run(name: string, work: (signal: AbortSignal) => Promise<Result>, signal: AbortSignal): Promise<Result> {
    for (;;) {
      signal.throwIfAborted();
      const running = this.#running.get(name) ?? this.#begin(name, work);
      if (!running.abort.signal.aborted) return this.#join(running, signal);
      await abortable(ended(running.result), signal);
    }
  }

  #begin(name: string, work: (signal: AbortSignal) => Promise<Result>): Attempt<Result> {
    const abort = new AbortController();
    const attempt = { result: work(abort.signal), abort, waiters: 0 };
    this.#running.set(name, attempt);
    void ended(attempt.result).then(() => this.#running.delete(name));
    return attempt;
  }

  async #join(attempt: Attempt<Result>, signal: AbortSignal): Promise<Result> {
    attempt.waiters += 1;
    try {
      return await abortable(attempt.result, signal);
    } catch (error) {
      if (!signal.aborted || attempt.waiters > 1) throw error;
      attempt.abort.abort(signal.reason);
      return await attempt.result;
    } finally {
      attempt.waiters -= 1;
    }
  }
}
