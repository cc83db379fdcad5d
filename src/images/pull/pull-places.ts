import { Places } from '../../lib/places.ts';
import type { ProgressTracker } from './progress.ts';

/** After so long without what a quick server would send, a pull works on without a place. */
const patienceMs = 5000;

interface Share {
  readonly places: Places;
  users: number;
}

export interface PullPlacesOptions {
  /** For all pulls together. */
  readonly places: number;
  /** Bytes a second that a pull must bring to keep its place. */
  readonly minRate: number;
}

/**
 * Places for pulls that keep a slow registry's to itself: of all places one registry gets three quarters, so that there is
 * always one for another; and a pull into which nothing comes gives its place to the next one, so that several slow ones
 * together do not hold them all. It keeps its part of its registry's share.
 */
export class PullPlaces {
  readonly #all: Places;
  readonly #shareSize: number;
  readonly #minBytes: number;
  readonly #shares = new Map<string, Share>();

  constructor({ places, minRate }: PullPlacesOptions) {
    this.#all = new Places(places);
    this.#shareSize = Math.max(1, Math.floor((places * 3) / 4));
    this.#minBytes = (minRate * patienceMs) / 1000;
  }

  /** See Places.run. */
  async run<Result>(pull: { readonly registry: string; readonly tracker: ProgressTracker }, work: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
    const share = this.#shares.get(pull.registry) ?? { places: new Places(this.#shareSize), users: 0 };
    this.#shares.set(pull.registry, share);
    share.users += 1;
    try {
      return await share.places.run(() => this.#all.run((giveUp) => this.#watched(pull.tracker, giveUp, work), signal), signal);
    } finally {
      share.users -= 1;
      if (share.users === 0) this.#shares.delete(pull.registry);
    }
  }

  async #watched<Result>(tracker: ProgressTracker, giveUp: () => void, work: () => Promise<Result>): Promise<Result> {
    let before = tracker.doneBytes;
    const timer = setInterval(() => {
      if (tracker.doneBytes - before < this.#minBytes) giveUp();
      before = tracker.doneBytes;
    }, patienceMs);
    try {
      return await work();
    } finally {
      clearInterval(timer);
    }
  }
}
