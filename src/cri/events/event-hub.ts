import type { PodEvent } from './pod-event.ts';
import { EventBacklog, type BacklogLimits } from './event-backlog.ts';
import { EventQueue } from './event-queue.ts';

/** How far a reader may lag, and how much is kept while there is none. */
const defaultLimits: BacklogLimits = { events: 1000, bytes: 8 << 20 };
const keptMs = 5 * 60_000;

/**
 * Hands every event to every reader, in order and each once. A slow reader slows nobody: one that lags by more than the
 * limits is cut off with an error.
 *
 * While nobody reads, events are kept for five minutes, within the same limits, the oldest going first. The first reader
 * that comes gets them before any other event, and then they are gone: a kubelet that was restarted, or whose connection
 * broke, hears what it missed, and a second reader no old news. Nothing is kept over a restart of berthd.
 */
export class EventHub {
  readonly #queues = new Set<EventQueue>();
  readonly #limits: BacklogLimits;
  readonly #kept: EventBacklog;
  readonly #nowMs: () => number;

  /** @param nowMs a clock that never goes back. */
  constructor(limits: BacklogLimits = defaultLimits, nowMs: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#kept = new EventBacklog(limits);
    this.#nowMs = nowMs;
  }

  /** Readers now. */
  get readers(): number {
    return this.#queues.size;
  }

  publish(event: PodEvent): void {
    const nowMs = this.#nowMs();
    for (const queue of this.#queues) queue.push(event, nowMs);
    if (this.#queues.size > 0) return;
    this.#kept.push(event, nowMs);
    this.#kept.trim(nowMs - keptMs);
  }

  /** What was kept, and every event from this call on, until the signal aborts. */
  subscribe(signal: AbortSignal): AsyncIterable<PodEvent> {
    const end = (): void => {
      queue.end();
    };
    const queue = new EventQueue(this.#limits, () => {
      this.#queues.delete(queue);
      signal.removeEventListener('abort', end);
    });
    if (signal.aborted) {
      queue.end();
      return queue;
    }
    signal.addEventListener('abort', end, { once: true });
    if (this.#queues.size === 0) this.#handOver(queue);
    this.#queues.add(queue);
    return queue;
  }

  #handOver(queue: EventQueue): void {
    const nowMs = this.#nowMs();
    this.#kept.trim(nowMs - keptMs);
    for (let event = this.#kept.shift(); event !== undefined; event = this.#kept.shift()) queue.push(event, nowMs);
  }
}
