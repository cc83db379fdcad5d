import { Socket } from 'node:net';
import { Readable } from 'node:stream';

/** As much as a pipe holds. */
const bufferBytes = 64 << 10;

/**
 * What comes out of a FIFO. It is polled for like a socket, so that no thread waits for it, and what nobody reads stays
 * with whoever writes.
 */
export class FifoReader extends Readable {
  readonly #socket: Socket;
  readonly #ended = Promise.withResolvers<void>();
  /** The reader has enough for now. */
  #held = false;

  /** @param fd open for reading, and now the stream's. */
  constructor(fd: number) {
    super({ highWaterMark: bufferBytes });
    this.#socket = new Socket({ fd, readable: true, writable: false });
    this.#socket.on('data', (chunk) => {
      if (this.push(chunk)) return;
      this.#held = true;
      this.#socket.pause();
    });
    this.#socket.on('end', () => {
      this.#end();
    });
    this.#socket.on('error', (error) => {
      this.destroy(error);
    });
    // Whoever reads hears of it, too; without any listener it would end the daemon.
    this.on('error', () => undefined);
    this.on('close', this.#ended.resolve);
  }

  /**
   * Resolves when everything was taken from the FIFO. Children of a process that has ended may hold it open for ever: it also
   * ends when the reader waits and nothing has come for `graceMs`.
   */
  async settle(graceMs: number): Promise<void> {
    for (;;) {
      const before = this.#socket.bytesRead;
      if (await this.#endsWithin(graceMs)) return;
      if (this.#socket.bytesRead === before && !this.#held) break;
    }
    this.#cut();
  }

  /** Resolves when everything was taken from the FIFO, which nobody has open for writing any more. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  override _read(): void {
    this.#held = false;
    this.#socket.resume();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  async #endsWithin(ms: number): Promise<boolean> {
    const late = Promise.withResolvers<boolean>();
    // A loop that was busy looks at its clock before it looks at its sockets: what came meanwhile gets its turn first.
    const timer = setTimeout(() => setImmediate(late.resolve, false), ms);
    try {
      return await Promise.race([this.#ended.promise.then(() => true), late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  #cut(): void {
    this.#end();
    this.#socket.destroy();
  }

  #end(): void {
    this.push(null);
    this.#ended.resolve();
  }
}
