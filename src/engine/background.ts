import { setTimeout as sleep } from 'node:timers/promises';
import type { Log, LogFacts } from '../lib/log.ts';

const firstDelayMs = 1000;
const longestDelayMs = 60_000;

/** Work whose end no caller awaits. It ends with the engine; what failed is in the log. */
export class Background {
  readonly #log: Log;
  readonly #closing = new AbortController();
  readonly #running = new Set<Promise<void>>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** Aborts when the engine closes. */
  get signal(): AbortSignal {
    return this.#closing.signal;
  }

  /** Runs once. */
  run(what: string, facts: LogFacts, work: (signal: AbortSignal) => Promise<void>): void {
    this.#track(this.#guard(what, facts, () => work(this.signal)));
  }

  /** Tries again what has failed once until it succeeds, ever more rarely, up to once a minute. */
  retry(what: string, facts: LogFacts, work: (signal: AbortSignal) => Promise<void>): void {
    this.#track(this.#guard(what, facts, () => this.#repeat(what, facts, work)));
  }

  /** Runs at once, and if that fails as retry() does. */
  ensure(what: string, facts: LogFacts, work: (signal: AbortSignal) => Promise<void>): void {
    this.#track(this.#guard(what, facts, () => work(this.signal).catch(() => this.#repeat(what, facts, work))));
  }

  /** Resolves when nothing runs any more. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  close(): void {
    this.#closing.abort(new Error('the engine is closing'));
  }

  async #repeat(what: string, facts: LogFacts, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    for (let delayMs = firstDelayMs; ; delayMs = Math.min(delayMs * 2, longestDelayMs)) {
      await sleep(delayMs, undefined, { signal: this.signal });
      try {
        await work(this.signal);
        return;
      } catch (error) {
        this.signal.throwIfAborted();
        this.#log.warn({ ...facts, err: error }, `${what} failed again; it will be tried once more`);
      }
    }
  }

  async #guard(what: string, facts: LogFacts, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!this.signal.aborted) this.#log.warn({ ...facts, err: error }, `${what} failed`);
    }
  }

  #track(work: Promise<void>): void {
    this.#running.add(work);
    void work.then(() => this.#running.delete(work));
  }
}
