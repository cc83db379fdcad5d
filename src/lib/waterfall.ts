import type { Clock } from './clock.ts';

/** One phase of an operation. Times are milliseconds since the operation began; phases may overlap. */
export interface Phase {
  readonly name: string;
  readonly startMs: number;
  readonly durationMs: number;
}

/** Collects where an operation's time went. Every start carries one; it becomes a histogram, a span and `berth trace`. */
export class Waterfall {
  readonly #clock: Clock;
  readonly #originMs: number;
  readonly #phases: Phase[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#originMs = clock.monotonicMs();
  }

  async phase<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    const startMs = this.elapsedMs();
    try {
      return await work();
    } finally {
      this.#phases.push({ name, startMs, durationMs: this.elapsedMs() - startMs });
    }
  }

  /** Adds a phase that somebody else measured, such as the shim: it ended just now. */
  add(name: string, durationMs: number): void {
    this.#phases.push({ name, startMs: Math.max(0, this.elapsedMs() - durationMs), durationMs });
  }

  elapsedMs(): number {
    return this.#clock.monotonicMs() - this.#originMs;
  }

  phases(): readonly Phase[] {
    return [...this.#phases].toSorted((a, b) => a.startMs - b.startMs);
  }
}
