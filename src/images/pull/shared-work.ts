import { BerthError } from '../../lib/errors.ts';
import { abortable } from '../../lib/keyed-mutex.ts';

interface Shared<Result> {
  readonly result: Promise<Result>;
  readonly abort: AbortController;
  waiters: number;
}

/** Lets callers who want the same thing share one piece of work. Each may leave alone; the last one to leave ends the work. */
export class SharedWork<Result> {
  readonly #running = new Map<string, Shared<Result>>();
  readonly #closed = new AbortController();

  async join(key: string, start: (signal: AbortSignal) => Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
    signal?.throwIfAborted();
    this.#closed.signal.throwIfAborted();
    const shared = this.#running.get(key) ?? this.#start(key, start);
    shared.waiters += 1;
    try {
      return await abortable(shared.result, signal);
    } finally {
      shared.waiters -= 1;
      if (shared.waiters === 0) this.#leave(key, shared);
    }
  }

  /** Aborts all work with the reason, refuses newcomers with it, and resolves when the work has ended. */
  async close(reason: BerthError): Promise<void> {
    this.#closed.abort(reason);
    const running = [...this.#running.values()];
    for (const { abort } of running) abort.abort(reason);
    await Promise.allSettled(running.map(({ result }) => result));
  }

  #start(key: string, start: (signal: AbortSignal) => Promise<Result>): Shared<Result> {
    const abort = new AbortController();
    const shared = { result: start(abort.signal), abort, waiters: 0 };
    // Whoever awaits it hears of a failure; after the last one has left there is nobody to tell.
    shared.result.catch(() => undefined);
    this.#running.set(key, shared);
    return shared;
  }

  /** Newcomers must not join work that is being given up, so the key goes first. */
  #leave(key: string, shared: Shared<Result>): void {
    if (this.#running.get(key) === shared) this.#running.delete(key);
    shared.abort.abort(new BerthError('canceled', 'every caller has left'));
  }
}
