import { BerthError } from '../lib/errors.ts';

/** Lets calls in only while the daemon can answer them: not before recovery ended, nor once shutdown began. */
export class ReadyGate {
  #closedBecause: string | undefined = 'berthd is still recovering its state';

  get isOpen(): boolean {
    return this.#closedBecause === undefined;
  }

  open(): void {
    this.#closedBecause = undefined;
  }

  close(because: string): void {
    this.#closedBecause = because;
  }

  /** Throws `unavailable` while closed. */
  check(): void {
    if (this.#closedBecause !== undefined) throw new BerthError('unavailable', this.#closedBecause, { hint: 'try again in a moment' });
  }
}
