import { BerthError, isKind } from '../lib/errors.ts';
import { abortable } from '../lib/keyed-mutex.ts';
import { type CallOptions, TtrpcClient } from '../lib/ttrpc/client.ts';
import { connectUnix } from '../lib/ttrpc/connect.ts';
import type { Method } from '../lib/ttrpc/method.ts';

const connectMs = 5000;

interface Entry {
  readonly client: Promise<TtrpcClient>;
  users: number;
}

/**
 * One socket for each shim, opened by the first call and shared by all. Sockets that no call uses stay open, so that the
 * next call is cheap, but only up to a bound; a task whose exit is awaited always keeps its own.
 */
export class ShimConnections {
  readonly #maxIdle: number;
  readonly #entries = new Map<string, Entry>();
  /** The unused ones, the longest unused first. */
  readonly #idle = new Map<string, Entry>();
  #closed = false;

  constructor(init: { readonly maxIdle: number }) {
    this.#maxIdle = init.maxIdle;
  }

  /** Open sockets, idle ones included. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * @throws BerthError `unavailable` when the shim is gone or goes during the call, `canceled` after `close`: then nothing is
   * known about the shim. Else what the call throws.
   */
  async call<Request, Response>(address: string, method: Method<Request, Response>, request: Request, options: CallOptions): Promise<Response> {
    if (this.#closed) throw stopping();
    const entry = this.#take(address);
    try {
      const client = await abortable(entry.client, options.signal);
      return await client.call(method, request, options);
    } catch (error) {
      throw this.#closed ? stopping() : error;
    } finally {
      this.#giveBack(address, entry);
    }
  }

  /** Lets go of a shim that has ended or is about to. One that keeps other containers, too, may have calls open: theirs. */
  forget(address: string): void {
    const entry = this.#entries.get(address);
    if (entry !== undefined && entry.users === 0) this.#shut(address, entry);
  }

  /** Fails what is open. The shims go on. */
  close(): void {
    this.#closed = true;
    for (const [address, entry] of this.#entries) this.#shut(address, entry);
  }

  #take(address: string): Entry {
    const entry = this.#entries.get(address) ?? this.#open(address);
    this.#idle.delete(address);
    entry.users += 1;
    return entry;
  }

  #giveBack(address: string, entry: Entry): void {
    entry.users -= 1;
    if (entry.users > 0 || this.#entries.get(address) !== entry) return;
    this.#idle.set(address, entry);
    const [oldest] = this.#idle;
    if (this.#idle.size > this.#maxIdle && oldest !== undefined) this.#shut(...oldest);
  }

  #open(address: string): Entry {
    const entry = { client: connectShim(address), users: 0 };
    this.#entries.set(address, entry);
    const drop = (): void => {
      this.#drop(address, entry);
    };
    entry.client.then((client) => client.ended.then(drop)).catch(drop);
    return entry;
  }

  #shut(address: string, entry: Entry): void {
    this.#drop(address, entry);
    // One that never opened has told its callers already.
    entry.client.then((client) => client.close()).catch(() => undefined);
  }

  #drop(address: string, entry: Entry): void {
    if (this.#entries.get(address) !== entry) return;
    this.#entries.delete(address);
    this.#idle.delete(address);
  }
}

function stopping(): BerthError {
  return new BerthError('canceled', 'berthd lets go of its shims');
}

async function connectShim(address: string): Promise<TtrpcClient> {
  try {
    return new TtrpcClient(await connectUnix(address, AbortSignal.timeout(connectMs)), `the shim at ${address}`);
  } catch (error) {
    if (isKind(error, 'unimplemented')) throw error;
    throw new BerthError('unavailable', `the shim at ${address} is gone`, { cause: error });
  }
}
