/** A shorter window would measure noise. */
const minWindowNs = 1_000_000_000n;
const nanosPerSecond = 1_000_000_000n;

interface Sample {
  readonly atNs: bigint;
  readonly usageNs: bigint;
  readonly rate: bigint | undefined;
}

/** CPU usage per second, from one reading to a later one. */
export class CpuRates {
  readonly #last = new Map<string, Sample>();

  /** Nanoseconds of CPU per second since a reading at least a second ago; undefined until there is one. */
  rate(id: string, atNs: bigint, usageNs: bigint): bigint | undefined {
    const last = this.#last.get(id);
    if (last === undefined || usageNs < last.usageNs) {
      this.#last.set(id, { atNs, usageNs, rate: undefined });
      return undefined;
    }
    if (atNs - last.atNs < minWindowNs) return last.rate;
    const rate = ((usageNs - last.usageNs) * nanosPerSecond) / (atNs - last.atNs);
    this.#last.set(id, { atNs, usageNs, rate });
    return rate;
  }

  forget(id: string): void {
    this.#last.delete(id);
  }
}
