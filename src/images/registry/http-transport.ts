import { request } from 'undici';
import { Dispatchers } from './dispatchers.ts';
import type { Connection } from './endpoint.ts';

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
  /** Must be read to its end, left by `break`, or given to discard(). */
  readonly body: AsyncIterable<Uint8Array>;
  discard(): Promise<void>;
}

/** One HTTP exchange without redirects, retries or status checks. Rejects when the peer cannot be reached or goes silent. */
export interface HttpTransport {
  send(request: HttpRequest): Promise<HttpResponse>;
  close(): Promise<void>;
}

const userAgent = 'berth';

function valuesOf(header: string | string[] | undefined): readonly string[] {
  if (header === undefined) return [];
  return typeof header === 'string' ? [header] : header;
}

/** Speaks HTTP with undici, one connection pool per way to connect. */
export class UndiciTransport implements HttpTransport {
  readonly #dispatchers: Dispatchers;

  constructor(progressTimeoutMs: number, environment: Readonly<Record<string, string | undefined>> = process.env) {
    this.#dispatchers = new Dispatchers(progressTimeoutMs, environment);
  }

  async send({ url, method, headers, body, connection, signal }: HttpRequest): Promise<HttpResponse> {
    const dispatcher = await this.#dispatchers.for(url, connection);
    const response = await request(url, { dispatcher, method, headers: { 'user-agent': userAgent, ...headers }, signal, ...(body === undefined ? {} : { body }) });
    return {
      status: response.statusCode,
      headers: (name) => valuesOf(response.headers[name]),
      body: response.body,
      discard: () => response.body.dump(),
    };
  }

  close(): Promise<void> {
    return this.#dispatchers.close();
  }
}
