import { randomBytes } from 'node:crypto';
import type { Clock } from '../lib/clock.ts';
import { BerthError } from '../lib/errors.ts';

const lifetimeMs = 60_000;
const maxWaiting = 1000;
const tokenBytes = 24;

/** Requests that wait for their client under unguessable names; each is handed out once, and not after its minute. */
export class Tickets<Ticket> {
  // In order of expiry, since all live equally long and a Map keeps the order of insertion.
  readonly #waiting = new Map<string, { readonly ticket: Ticket; readonly expiresMs: number }>();
  readonly #clock: Pick<Clock, 'monotonicMs'>;

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  /** Keeps a ticket and returns its token. Fails `exhausted` rather than forget one that another client still counts on. */
  add(ticket: Ticket): string {
    this.#forgetExpired();
    if (this.#waiting.size >= maxWaiting) {
      throw new BerthError('exhausted', `${maxWaiting} streaming URLs are waiting for their clients`, { hint: `each is forgotten after ${lifetimeMs / 1000} s; try again then` });
    }
    const token = randomBytes(tokenBytes).toString('base64url');
    this.#waiting.set(token, { ticket, expiresMs: this.#clock.monotonicMs() + lifetimeMs });
    return token;
  }

  /** The ticket of a token, which stays. */
  peek(token: string): Ticket | undefined {
    this.#forgetExpired();
    return this.#waiting.get(token)?.ticket;
  }

  /** Makes a token useless. */
  spend(token: string): void {
    this.#waiting.delete(token);
  }

  #forgetExpired(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [token, { expiresMs }] of this.#waiting) {
      if (expiresMs > nowMs) return;
      this.#waiting.delete(token);
    }
  }
}
