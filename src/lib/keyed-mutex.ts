/** One lock per key, made on first use and dropped when nobody holds or awaits it. Fair: first come, first served. */
export class KeyedMutex<Key> {
  readonly #tails = new Map<Key, Promise<void>>();

  /** Runs `work` while holding the key's lock; a waiter whose signal aborts leaves the queue with the signal's reason. */
  async run<Result>(key: Key, work: () => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    const release = await this.hold(key, signal);
    try {
      return await work();
    } finally {
      release();
    }
  }

  /** Takes the key's lock until the function is called that this resolves to. A waiter whose signal aborts leaves the queue. */
  async hold(key: Key, signal?: AbortSignal): Promise<() => void> {
    const ahead = this.#tails.get(key) ?? Promise.resolve();
    const turn = Promise.withResolvers<void>();
    const tail = ahead.then(() => turn.promise);
    this.#tails.set(key, tail);
    void tail.then(() => {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    });
    try {
      await abortable(ahead, signal);
    } catch (error) {
      turn.resolve();
      throw error;
    }
    return () => {
      turn.resolve();
    };
  }
}

/** The promise's result, or the signal's reason if that comes first. The promise itself goes on. */
export async function abortable<Result>(promise: Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
  if (signal === undefined) return promise;
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => {
    aborted.reject(signal.reason);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
