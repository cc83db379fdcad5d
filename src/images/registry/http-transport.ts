import { request } from 'undici';
import { Dispatchers } from './dispatchers.ts';
import type { Connection } from './endpoint.ts';
import { atLeast, type LeastRate } from './least-rate.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly connection: Connection;
  readonly signal: AbortSignal;
}

export interface HttpResponse {
  readonly status: number;
  /** Repeated headers come as one entry each. */
  headers(name: string): readonly string[];
  /** Must be read to its end, left by `break`, or given to discard(). Fails TooSlow when it drips. */
  readonly body: AsyncIterable<Uint8Array>;
  discard(): Promise<void>;
}

/** One HTTP exchange without redirects, retries or status checks. Rejects when the peer cannot be reached or goes silent. */
export interface HttpTransport {
  send(request: HttpRequest): Promise<HttpResponse>;
  close(): Promise<void>;
}

const userAgent = 'berth';
const maxUnwantedBytes = 64 * 1024;
const maxUnwantedMs = 1000;

function valuesOf(header: string | string[] | undefined): readonly string[] {
  if (header === undefined) return [];
  return typeof header === 'string' ? [header] : header;
}

/** Speaks HTTP with undici, one connection pool per way to connect. */
export class UndiciTransport implements HttpTransport {
  readonly #dispatchers: Dispatchers;
  readonly #leastRate: LeastRate;

  /** A peer that sends nothing at all for the window is given up, too. */
  constructor(leastRate: LeastRate, environment: Readonly<Record<string, string | undefined>> = process.env) {
    this.#leastRate = leastRate;
    this.#dispatchers = new Dispatchers(leastRate.windowMs, environment);
  }

  async send({ url, method, headers, body, connection, signal }: HttpRequest): Promise<HttpResponse> {
    const dispatcher = await this.#dispatchers.for(url, connection);
    const response = await request(url, { dispatcher, method, headers: { 'user-agent': userAgent, ...headers }, signal, ...(body === undefined ? {} : { body }) });
    return {
      status: response.statusCode,
      headers: (name) => valuesOf(response.headers[name]),
      body: atLeast(response.body, this.#leastRate),
      // What nobody wants is not waited for: past these the connection is closed instead.
      discard: () => response.body.dump({ limit: maxUnwantedBytes, signal: AbortSignal.timeout(maxUnwantedMs) }).catch(() => undefined),
    };
  }

  close(): Promise<void> {
    return this.#dispatchers.close();
  }
}
