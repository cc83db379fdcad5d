import type { Config } from '../config/schema.ts';
import type { Engine } from '../engine/port.ts';
import type { StreamingUrls } from '../remotecommand/port.ts';

/** What handlers work with. */
export interface Door {
  readonly engine: Engine;
  readonly config: Config;
  readonly streaming: StreamingUrls;
  /** Version of berth. */
  readonly version: string;
}

/**
 * One RPC with one answer. Throws BerthErrors; the signal aborts when the client's deadline passes or it leaves. `deadlineMs` is
 * that deadline since the epoch, Infinity where the client set none.
 */
export type Unary<Request, Response> = (request: Request, signal: AbortSignal, deadlineMs: number) => Promise<Response> | Response;

/** One RPC that answers with a stream, which ends when the iterable does. */
export type Streaming<Request, Message> = (request: Request, signal: AbortSignal) => AsyncIterable<Message> | Iterable<Message>;

/** Handlers by RPC name. What they take and give is known to the codec of the same name, not to the server. */
export interface Routes {
  readonly unary: Readonly<Record<string, Unary<never, object>>>;
  readonly streaming: Readonly<Record<string, Streaming<never, object>>>;
}
