import { BerthError } from '../lib/errors.ts';

export interface Client {
  /** Since the epoch; Infinity where it set none. */
  readonly deadlineMs: number;
  /** Calls back when the client hangs up. */
  readonly onLeft: (listener: () => void) => void;
}

/** A client hangs up when its own clock says so, which is earlier than ours by the time its call took to get here. */
const clockSlackMs = 100;

/** The calls under way at a door. Each has one signal: it aborts when the client leaves, its deadline passes or the door closes. */
export class OpenCalls {
  readonly #open = new Set<AbortController>();
  #closed = false;

  /** Runs the work of a call. The reason of its signal says which of the three it was, as a BerthError. */
  async run<Result>({ deadlineMs, onLeft }: Client, work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    const call = new AbortController();
    onLeft(() => {
      const late = Date.now() >= deadlineMs - clockSlackMs;
      call.abort(late ? new BerthError('timeout', "the client's deadline passed") : new BerthError('canceled', 'the client canceled the call'));
    });
    this.#open.add(call);
    if (this.#closed) this.close();
    try {
      return await work(call.signal);
    } finally {
      this.#open.delete(call);
    }
  }

  /** Aborts the calls under way and every later one. */
  close(): void {
    this.#closed = true;
    for (const call of this.#open) call.abort(new BerthError('unavailable', 'berthd is shutting down', { hint: 'try again when it is back' }));
  }
}
