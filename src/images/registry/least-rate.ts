import { BerthError } from '../../lib/errors.ts';

/** What a sender must keep to. */
export interface LeastRate {
  /** 0: it may be as slow as it likes. */
  readonly bytesPerSecond: number;
  /** Over so long; a sender is asked for nothing sooner. */
  readonly windowMs: number;
}

/** Another try would be as slow; what came is kept for it. */
export class TooSlow extends BerthError {
  constructor({ bytesPerSecond, windowMs }: LeastRate) {
    super('registry', `fewer than ${String(bytesPerSecond)} bytes a second came for ${String(Math.round(windowMs / 1000))} s`, { hint: 'pull again: it goes on from there; images.min_rate is the limit' });
  }
}

/**
 * The body, failing with TooSlow when its sender drips. Only the time counts in which we wait for it: a disk that is slow to
 * take the bytes is no fault of the sender's.
 */
export async function* atLeast(body: AsyncIterable<Uint8Array>, rate: LeastRate, nowMs: () => number = () => performance.now()): AsyncGenerator<Uint8Array> {
  let waitedMs = 0;
  let came = 0;
  let sinceMs = nowMs();
  for await (const chunk of body) {
    waitedMs += nowMs() - sinceMs;
    came += chunk.byteLength;
    if (waitedMs >= rate.windowMs) {
      if (came * 1000 < rate.bytesPerSecond * waitedMs) throw new TooSlow(rate);
      waitedMs = 0;
      came = 0;
    }
    yield chunk;
    sinceMs = nowMs();
  }
}
