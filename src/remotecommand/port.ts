import type { StreamChoice } from '../engine/model/session.ts';

/** A command to run in a container. */
export interface ExecTicket {
  readonly containerId: string;
  readonly command: readonly string[];
  readonly streams: StreamChoice;
}

export interface AttachTicket {
  readonly containerId: string;
  readonly streams: StreamChoice;
}

export interface ForwardTicket {
  readonly podId: string;
  /** What a WebSocket without SPDY inside forwards; others name a port with each stream. */
  readonly ports: readonly number[];
}

/**
 * Makes the URLs at which clients get streams. A ticket is a request that was already found valid; it waits here under a
 * random name that works once and for a minute. Fails `exhausted` when too many wait.
 */
export interface StreamingUrls {
  exec(ticket: ExecTicket): string;
  attach(ticket: AttachTicket): string;
  portForward(ticket: ForwardTicket): string;
}
