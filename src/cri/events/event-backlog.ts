import type { PodEvent } from './pod-event.ts';

export interface BacklogLimits {
  readonly events: number;
  readonly bytes: number;
}

interface Entry {
  readonly event: PodEvent;
  readonly bytes: number;
  readonly atMs: number;
}

/** What an event costs beside the texts in it: its objects, ids and times. */
const objectBytes = 512;

/** Events that wait, in order, bounded in number and bytes. */
export class EventBacklog {
  readonly #limits: BacklogLimits;
  #entries: Entry[] = [];
  #bytes = 0;

  constructor(limits: BacklogLimits) {
    this.#limits = limits;
  }

  /** More waits than may. One event alone never is too much, however large it is. */
  get overfull(): boolean {
    return this.#entries.length > 1 && (this.#entries.length > this.#limits.events || this.#bytes > this.#limits.bytes);
  }

  push(event: PodEvent, atMs: number): void {
    const bytes = eventBytes(event);
    this.#entries.push({ event, bytes, atMs });
    this.#bytes += bytes;
  }

  /** The oldest event, which waits no longer. */
  shift(): PodEvent | undefined {
    const entry = this.#entries.shift();
    this.#bytes -= entry?.bytes ?? 0;
    return entry?.event;
  }

  /** Forgets what came before a time, and then the oldest until the rest is within the bounds. */
  trim(beforeMs: number): void {
    while (this.overfull || (this.#entries[0]?.atMs ?? beforeMs) < beforeMs) this.shift();
  }

  clear(): void {
    this.#entries = [];
    this.#bytes = 0;
  }
}

/** An estimate of the memory that an event keeps from being freed: the texts of configurations, which clients choose, can be long. */
function eventBytes({ pod, containers }: PodEvent): number {
  const podBytes = pod === undefined ? 0 : objectBytes + textBytes(pod.config.labels) + textBytes(pod.config.annotations);
  return containers.reduce((sum, { config }) => sum + objectBytes + textBytes(config.labels) + textBytes(config.annotations), objectBytes + podBytes);
}

function textBytes(texts: Readonly<Record<string, string>>): number {
  return Object.entries(texts).reduce((sum, [key, value]) => sum + key.length + value.length, 0);
}
