import { Duplex } from 'node:stream';

type Done = (error?: Error | null) => void;

/** What a channel needs of its connection. */
export interface ChannelLink {
  send(channel: number, bytes: Buffer, done: Done): void;
  /** Nothing more is to be read from the connection until `release` is called for the same channel. */
  hold(channel: number): void;
  release(channel: number): void;
}

const bufferBytes = 64 << 10;

/** One numbered channel of a WebSocket as a stream. WebSockets cannot end a channel, so its writable end is silent. */
export class ChannelStream extends Duplex {
  readonly #number: number;
  readonly #link: ChannelLink;
  #clientIsDone = false;

  constructor(number: number, link: ChannelLink) {
    super({ readableHighWaterMark: bufferBytes, writableHighWaterMark: bufferBytes });
    this.#number = number;
    this.#link = link;
    this.on('error', () => undefined);
    // One that the client has ended is asked for no more, so its last bytes make room without a read.
    this.on('end', () => { link.release(number); });
  }

  receive(bytes: Buffer): void {
    if (bytes.length === 0 || this.destroyed || this.#clientIsDone) return;
    if (!this.push(bytes)) this.#link.hold(this.#number);
  }

  /** The client sends no more on it. */
  endReading(): void {
    if (this.#clientIsDone) return;
    this.#clientIsDone = true;
    this.push(null);
  }

  override _read(): void {
    this.#link.release(this.#number);
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#link.send(this.#number, bytes, done);
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#link.release(this.#number);
    done(error);
  }
}
