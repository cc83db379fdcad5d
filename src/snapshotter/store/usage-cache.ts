import type { Clock } from '../../lib/clock.ts';
import { abortable } from '../../lib/keyed-mutex.ts';
import type { SnapshotKey } from '../../lib/ids.ts';
import type { Usage } from '../../agent/port.ts';

const maxAgeMs = 5000;

interface Measurement {
  readonly startedMs: number;
  readonly usage: Promise<Usage>;
}

/** Lets several askers share one walk over a directory, for a few seconds. */
export class UsageCache {
  readonly #clock: Clock;
  readonly #measurements = new Map<SnapshotKey, Measurement>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The walk goes on for the others when one asker leaves. */
  async get(key: SnapshotKey, measure: () => Promise<Usage>, signal: AbortSignal | undefined): Promise<Usage> {
    const nowMs = this.#clock.monotonicMs();
    const known = this.#measurements.get(key);
    if (known !== undefined && nowMs - known.startedMs < maxAgeMs) return abortable(known.usage, signal);
    const usage = measure();
    this.#measurements.set(key, { startedMs: nowMs, usage });
    usage.catch(() => {
      if (this.#measurements.get(key)?.usage === usage) this.#measurements.delete(key);
    });
    return abortable(usage, signal);
  }

  forget(key: SnapshotKey): void {
    this.#measurements.delete(key);
  }
}
