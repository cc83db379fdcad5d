import type { Duplex } from 'node:stream';
import { BerthError } from '../errors.ts';
import { decodeResponse, requestFrame } from './envelope.ts';
import { FrameReader, frameType, type Frame } from './frame.ts';
import type { Method } from './method.ts';
import { errorOfStatus } from './status.ts';

export interface CallOptions {
  /** Milliseconds until the call fails `timeout`; undefined waits for ever. The peer is told, too. */
  readonly timeoutMs?: number | undefined;
  /** Ends the waiting with the signal's reason. ttrpc cannot cancel: the peer goes on. */
  readonly signal?: AbortSignal | undefined;
}

interface Pending {
  readonly settle: (payload: Uint8Array) => void;
  readonly fail: (error: unknown) => void;
}

/**
 * The calling side of one ttrpc connection. Calls run concurrently, each on a stream of its own; when the connection ends
 * all that are open fail `unavailable`.
 */
export class TtrpcClient {
  readonly #socket: Duplex;
  readonly #peer: string;
  readonly #pending = new Map<number, Pending>();
  readonly #ended = Promise.withResolvers<void>();
  #nextStream = 1;
  #closedBy: BerthError | undefined;

  /** @param peer names the other side in error messages. */
  constructor(socket: Duplex, peer: string) {
    this.#socket = socket;
    this.#peer = peer;
    const reader = new FrameReader((frame) => {
      this.#onFrame(frame);
    });
    socket.on('data', (chunk: Buffer) => {
      this.#read(reader, chunk);
    });
    socket.on('error', (error) => {
      this.close(error);
    });
    socket.on('close', () => {
      this.close();
    });
  }

  /** Resolves when the connection is over, whoever ended it. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  get closed(): boolean {
    return this.#closedBy !== undefined;
  }

  /** Calls without an answer so far. */
  get pending(): number {
    return this.#pending.size;
  }

  /**
   * @throws BerthError with the kind of the peer's status, `timeout`, or `unavailable` when the connection ends first;
   * the signal's reason when that aborts.
   */
  async call<Request, Response>(method: Method<Request, Response>, request: Request, options: CallOptions = {}): Promise<Response> {
    options.signal?.throwIfAborted();
    if (this.#closedBy !== undefined) throw this.#closedBy;
    const streamId = this.#nextStream;
    this.#nextStream += 2;
    const frame = requestFrame(streamId, { service: method.service, method: method.name, payload: method.request.encode(request) }, options.timeoutMs);
    const answer = this.#expect(streamId, method.name, options);
    this.#socket.write(frame);
    return this.#decode(method, await answer);
  }

  /** Ends the connection. Open calls fail `unavailable`. */
  close(cause?: unknown): void {
    if (this.#closedBy !== undefined) return;
    const detail = cause instanceof Error ? `: ${cause.message}` : '';
    const error = new BerthError('unavailable', `the connection to ${this.#peer} is closed${detail}`, { cause });
    this.#closedBy = error;
    for (const pending of this.#pending.values()) pending.fail(error);
    this.#socket.destroy();
    this.#ended.resolve();
  }

  /** The payload of a stream's answer; takes the timer, the listener and the entry away however it ends. */
  async #expect(streamId: number, name: string, { timeoutMs, signal }: CallOptions): Promise<Uint8Array> {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    this.#pending.set(streamId, { settle: resolve, fail: reject });
    const onAbort = (): void => {
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    const timer = timeoutMs === undefined ? undefined : setTimeout(reject, timeoutMs, new BerthError('timeout', `${this.#peer} did not answer ${name} within ${timeoutMs} ms`));
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      this.#pending.delete(streamId);
    }
  }

  #read(reader: FrameReader, chunk: Buffer): void {
    try {
      reader.push(chunk);
    } catch (error) {
      this.close(error);
    }
  }

  #onFrame(frame: Frame): void {
    const pending = this.#pending.get(frame.streamId);
    // An answer that nobody awaits any more: its call timed out or was aborted.
    if (pending === undefined) return;
    if (frame.type === frameType.response) pending.settle(frame.payload);
    else pending.fail(new BerthError('internal', `${this.#peer} sent a frame of type ${frame.type} where a response was due`));
  }

  #decode<Response>(method: Method<never, Response> | Method<unknown, Response>, bytes: Uint8Array): Response {
    const { status, payload } = decodeResponse(bytes);
    if (status.code !== 0) throw errorOfStatus(status, `${method.name} of ${this.#peer}`);
    return method.response.decode(payload);
  }
}
