/** Time as the engine sees it; tests bring their own. */
export interface Clock {
  /** Nanoseconds since the Unix epoch, never going back within a process. */
  nowNs(): bigint;
  /** Monotonic milliseconds with a fraction. */
  monotonicMs(): number;
}

const originNs = BigInt(Math.round(performance.timeOrigin * 1e6));

export const systemClock: Clock = {
  nowNs: () => originNs + BigInt(Math.round(performance.now() * 1e6)),
  monotonicMs: () => performance.now(),
};
