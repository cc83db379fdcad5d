import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Recorded {
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** A server that answers all requests alike and keeps what it was shown. */
export class Recorder implements AsyncDisposable {
  readonly #server: Server;
  readonly seen: Recorded[] = [];

  private constructor(answer: Answer) {
    this.#server = createServer(({ url = '', headers }, response) => {
      this.seen.push({ url, headers });
      response.writeHead(answer.status, answer.headers).end(answer.body);
    });
  }

  static async start(answer: Answer): Promise<Recorder> {
    const recorder = new Recorder(answer);
    await new Promise<void>((resolve) => {
      recorder.#server.listen(0, '127.0.0.1', resolve);
    });
    return recorder;
  }

  get host(): string {
    return `127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`;
  }

  /** Every Authorization header that came. */
  get authorizations(): readonly string[] {
    return this.seen.flatMap(({ headers }) => headers.authorization ?? []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }
}
