import type { EngineEvent } from '../model/event.ts';

/** Events that a reader may lag behind. */
const maxQueued = 1000;

/** One reader's queue. */
class EventQueue implements AsyncIterableIterator<EngineEvent> {
  readonly #events: EngineEvent[] = [];
  readonly #onEnd: () => void;
  #ended = false;
  #waiting: PromiseWithResolvers<void> | undefined;

  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  push(event: EngineEvent): void {
    this.#events.push(event);
    if (this.#events.length > maxQueued) this.#events.shift();
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#onEnd();
    this.#wake();
  }

  async next(): Promise<IteratorResult<EngineEvent, undefined>> {
    for (;;) {
      if (this.#ended) return { done: true, value: undefined };
      const event = this.#events.shift();
      if (event !== undefined) return { done: false, value: event };
      this.#waiting ??= Promise.withResolvers();
      await this.#waiting.promise;
    }
  }

  async return(): Promise<IteratorResult<EngineEvent, undefined>> {
    this.end();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #wake(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }
}

/** Hands every event to every reader. A slow reader loses its oldest events and slows nobody. */
export class EventHub {
  readonly #queues = new Set<EventQueue>();

  /** False: nobody would read an event, so none needs to be made. */
  get hasReaders(): boolean {
    return this.#queues.size > 0;
  }

  publish(event: EngineEvent): void {
    for (const queue of this.#queues) queue.push(event);
  }

  /** Every event from this call on, until the signal aborts. */
  subscribe(signal: AbortSignal): AsyncIterable<EngineEvent> {
    const end = (): void => {
      queue.end();
    };
    const queue = new EventQueue(() => {
      this.#queues.delete(queue);
      signal.removeEventListener('abort', end);
    });
    this.#queues.add(queue);
    if (signal.aborted) queue.end();
    else signal.addEventListener('abort', end, { once: true });
    return queue;
  }
}
