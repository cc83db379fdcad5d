import { once } from 'node:events';
import { longestTimerMs } from '../../lib/long-sleep.ts';
import { LinkWatch } from '../link-watch.ts';
import type { WebSocket } from './accept.ts';
import type { ChannelCodec } from './channel-codec.ts';
import { ChannelStream, type ChannelLink } from './channel-stream.ts';

type Done = (error?: Error | null) => void;

export interface ChannelsOptions {
  readonly codec: ChannelCodec;
  /** Channels by number; messages to others are dropped. */
  readonly count: number;
  /** Whether the client may end a channel, as v5 has it. */
  readonly canClose: boolean;
  readonly idleTimeoutMs: number;
}

/** For the connection that channels are made of: as long as a timer can run, since they see to its end themselves. */
export const channelsCloseTimeoutMs = longestTimerMs;

const closeChannel = 255;
const normalClosure = 1000;
const protocolError = 1002;

/** A WebSocket that carries numbered channels. While one of them is full, nothing is read from it. */
export class Channels implements ChannelLink {
  readonly streams: readonly ChannelStream[];
  readonly #webSocket: WebSocket;
  readonly #options: ChannelsOptions;
  readonly #full = new Set<number>();
  readonly #gone = new AbortController();
  readonly #watch: LinkWatch;
  #finishing = false;
  /** The last probe has found a close that is not ours under way. */
  #leaving = false;

  constructor(webSocket: WebSocket, options: ChannelsOptions) {
    this.#webSocket = webSocket;
    this.#options = options;
    this.streams = Array.from({ length: options.count }, (_, number) => new ChannelStream(number, this));
    this.#watch = new LinkWatch({ probe: () => { this.#probe(); }, idle: () => { webSocket.terminate(); } }, options.idleTimeoutMs);
    // 'close' follows, and tells all that matters.
    webSocket.on('error', () => undefined);
    webSocket.on('message', (message: Buffer) => { this.#take(message); });
    webSocket.once('close', () => { this.#close(); });
  }

  /** Aborts when the connection is over, whoever ended it. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  send(channel: number, bytes: Buffer, done: Done): void {
    this.#watch.used();
    const { codec } = this.#options;
    this.#webSocket.send(codec.encode(channel, bytes), { binary: codec.binary }, done);
  }

  hold(channel: number): void {
    this.#full.add(channel);
    this.#webSocket.pause();
  }

  release(channel: number): void {
    if (this.#full.delete(channel) && this.#full.size === 0) this.#webSocket.resume();
  }

  /** Ends it when what the channels wrote is sent, and resolves when the client has answered. One that does not is idle. */
  async finish(): Promise<void> {
    this.#finishing = this.#isOpen;
    if (this.#gone.signal.aborted) return;
    const gone = once(this.#gone.signal, 'abort');
    // Nobody reads them any more, and a full one would keep the client's answer from being read.
    for (const stream of this.streams) stream.destroy();
    this.#webSocket.close(normalClosure);
    this.#watch.leave();
    await gone;
  }

  destroy(): void {
    this.#webSocket.terminate();
  }

  get #isOpen(): boolean {
    return this.#webSocket.readyState === this.#webSocket.OPEN;
  }

  #probe(): void {
    const closing = !this.#finishing && !this.#isOpen;
    // A client that leaves or broke the protocol has nothing to read any more that it would take longer for.
    if (closing && this.#leaving) this.#webSocket.terminate();
    this.#leaving = closing;
    this.#webSocket.ping();
    // A client's own pings wait unread behind its data while a channel is full; it must not take that for death.
    if (this.#full.size > 0) this.#webSocket.pong();
  }

  #take(message: Buffer): void {
    // What comes after our farewell is of no use any more.
    if (this.#isOpen) this.#watch.used();
    if (this.#options.canClose && message[0] === closeChannel) {
      this.#endChannel(message);
      return;
    }
    const decoded = this.#options.codec.decode(message);
    if (decoded !== undefined) this.streams[decoded.channel]?.receive(decoded.bytes);
  }

  #endChannel(message: Buffer): void {
    const stream = message.length === 2 ? this.streams[message.readUInt8(1)] : undefined;
    if (stream === undefined) this.#webSocket.close(protocolError);
    else stream.endReading();
  }

  #close(): void {
    this.#watch.stop();
    this.#gone.abort();
    for (const stream of this.streams) stream.destroy();
  }
}
