import { Socket } from 'node:net';
import { Readable } from 'node:stream';

/** As much as a pipe holds. */
const bufferBytes = 64 << 10;
/** As much as a pipe holds that berth-shim was given for an attachment. */
const maxPipeBytes = 1 << 20;
/** In so long a socket takes all there is, as long as its reader lets it. */
const beatMs = 10;

/**
 * What comes out of a FIFO. It is polled for like a socket, so that no thread waits for it, and what nobody reads stays
 * with whoever writes.
 */
export class FifoReader extends Readable {
  readonly #socket: Socket;
  readonly #ended = Promise.withResolvers<void>();
  /** The reader has enough for now. */
  #held = false;
  /** How often it had. */
  #holds = 0;

  /** @param fd open for reading, and now the stream's. */
  constructor(fd: number) {
    super({ highWaterMark: bufferBytes });
    this.#socket = new Socket({ fd, readable: true, writable: false });
    this.#socket.on('data', (chunk) => {
      if (this.push(chunk)) return;
      this.#held = true;
      this.#holds += 1;
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

  /**
   * Resolves when everything that was in the FIFO after `graceMs` was taken from it, and ends the stream there. The writer may
   * go on for ever, in whatever rhythm.
   */
  async cutOff(graceMs: number): Promise<void> {
    if (await this.#endsWithin(graceMs)) return;
    const before = this.#socket.bytesRead;
    while (this.#socket.bytesRead - before < maxPipeBytes) {
      const holds = this.#holds;
      const wasHeld = this.#held;
      if (await this.#endsWithin(beatMs)) return;
      if (!wasHeld && this.#holds === holds) break;
    }
    this.#cut();
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
