import { Socket } from 'node:net';
import { Writable } from 'node:stream';

/** What goes into a FIFO. When nobody reads it any more the rest is dropped: a process need not read all its input. */
export class FifoWriter extends Writable {
  readonly #socket: Socket;
  readonly #afterEnd: () => Promise<void>;
  #unread = false;

  /**
   * @param fd open for writing, and now the stream's.
   * @param afterEnd called once the stream was ended and the FIFO is closed.
   */
  constructor(fd: number, afterEnd: () => Promise<void>) {
    super();
    this.#afterEnd = afterEnd;
    this.#socket = new Socket({ fd, readable: false, writable: true });
    this.#socket.on('error', () => {
      this.#unread = true;
    });
    // Whoever writes hears of it, too; without any listener it would end the daemon.
    this.on('error', () => undefined);
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    if (this.#unread) done();
    // Its only error is that nobody reads.
    else this.#socket.write(chunk, () => done());
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    this.#socket.once('close', () => void this.#finish(done));
  }

  async #finish(done: (error?: Error | null) => void): Promise<void> {
    let failure: Error | null = null;
    try {
      await this.#afterEnd();
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error));
    }
    done(failure);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}
