import { Duplex } from 'node:stream';
import type { Headers } from './headers.ts';

type Done = (error?: Error | null) => void;

/** What a stream needs of its connection. */
export interface StreamLink {
  send(streamId: number, bytes: Buffer, fin: boolean, done: Done): void;
  /** The stream is over on this side. `reset`: the peer does not know yet. */
  forget(streamId: number, reset: boolean): void;
}

/** What is kept of a peer's data that nobody has read, before the connection is read no further. */
const bufferBytes = 64 << 10;

/** A stream that the peer opened. Each side half-closes; destroying it resets it. */
export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: Headers;
  readonly #link: StreamLink;
  #room: (() => void) | undefined;
  #peerIsDone = false;
  #sideIsDone = false;

  constructor(id: number, headers: Headers, link: StreamLink) {
    super({ readableHighWaterMark: bufferBytes, writableHighWaterMark: bufferBytes });
    this.id = id;
    this.headers = headers;
    this.#link = link;
    // A reset is an ordinary end of a stream; whoever works with it learns of it by 'close'.
    this.on('error', () => undefined);
    // One that the peer has ended is asked for no more, so its last bytes make room without a read.
    this.on('end', () => { this.#readOn(); });
  }

  /** Takes data from the peer. Returns what to wait for before more is read, if anything. */
  receive(bytes: Buffer, fin: boolean): Promise<void> | undefined {
    const hasRoom = bytes.length === 0 || this.destroyed || this.#peerIsDone || this.push(bytes);
    if (fin) this.#end();
    if (hasRoom) return undefined;
    return new Promise((resolve) => {
      this.#room = resolve;
    });
  }

  #end(): void {
    if (this.#peerIsDone) return;
    this.#peerIsDone = true;
    this.push(null);
    this.#forgetWhenDone();
  }

  /** The peer reset it. */
  cancel(): void {
    this.#peerIsDone = true;
    this.#sideIsDone = true;
    this.destroy(new Error('the peer reset the stream'));
  }

  override _read(): void {
    this.#readOn();
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#link.send(this.id, bytes, false, done);
  }

  override _final(done: Done): void {
    this.#sideIsDone = true;
    this.#link.send(this.id, Buffer.alloc(0), true, done);
    this.#forgetWhenDone();
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#readOn();
    this.#link.forget(this.id, !(this.#peerIsDone && this.#sideIsDone));
    done(error);
  }

  #readOn(): void {
    this.#room?.();
    this.#room = undefined;
  }

  #forgetWhenDone(): void {
    if (this.#peerIsDone && this.#sideIsDone) this.#link.forget(this.id, false);
  }
}
