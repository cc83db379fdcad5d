import { BerthError } from '../../lib/errors.ts';
import type { PodEvent } from './pod-event.ts';
import { EventBacklog, type BacklogLimits } from './event-backlog.ts';

/** One reader's events. A reader that lags too far behind is cut off, so that it knows to look at everything anew. */
export class EventQueue implements AsyncIterableIterator<PodEvent> {
  readonly #backlog: EventBacklog;
  readonly #onEnd: () => void;
  #ended = false;
  #failure: BerthError | undefined;
  #waiting: PromiseWithResolvers<void> | undefined;

  constructor(limits: BacklogLimits, onEnd: () => void) {
    this.#backlog = new EventBacklog(limits);
    this.#onEnd = onEnd;
  }

  push(event: PodEvent, atMs: number): void {
    this.#backlog.push(event, atMs);
    if (this.#backlog.overfull) this.#cutOff();
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#backlog.clear();
    this.#onEnd();
    this.#wake();
  }

  async next(): Promise<IteratorResult<PodEvent, undefined>> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#ended) return { done: true, value: undefined };
      const event = this.#backlog.shift();
      if (event !== undefined) return { done: false, value: event };
      this.#waiting ??= Promise.withResolvers();
      await this.#waiting.promise;
    }
  }

  async return(): Promise<IteratorResult<PodEvent, undefined>> {
    this.end();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #cutOff(): void {
    this.#failure = new BerthError('exhausted', 'this reader of events lags too far behind; list pods and containers, then subscribe again');
    this.end();
  }

  #wake(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }
}
