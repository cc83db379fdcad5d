import { PassThrough } from 'node:stream';
import type { Session, TerminalSize } from '../../engine/model/session.ts';

/** A process that does what a test tells it. */
export class FakeSession implements Session {
  readonly stdin = new PassThrough();
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  readonly sizes: TerminalSize[] = [];
  readonly #exit = Promise.withResolvers<number | undefined>();
  closed = 0;

  get exit(): Promise<number | undefined> {
    return this.#exit.promise;
  }

  async resize(size: TerminalSize): Promise<void> {
    this.sizes.push(size);
    return Promise.resolve();
  }

  /** Ends the process. */
  end(code: number | undefined): void {
    this.stdout.end();
    this.stderr.end();
    this.#exit.resolve(code);
  }

  async close(): Promise<void> {
    this.closed += 1;
    this.stdin.destroy();
    return Promise.resolve();
  }
}
