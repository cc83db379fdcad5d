import { readFile } from 'node:fs/promises';
import { getCACertificates } from 'node:tls';
import { Agent, request } from 'undici';
import { BerthError } from '../../lib/errors.ts';
import type { TlsSettings } from './endpoint.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly tls: TlsSettings;
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

const connectTimeoutMs = 10_000;
const userAgent = 'berth';

async function readPem(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new BerthError('precondition', `cannot read the ${what} ${path}`, { cause });
  }
}

async function connectOptions(tls: TlsSettings): Promise<Record<string, unknown>> {
  return {
    timeout: connectTimeoutMs,
    rejectUnauthorized: !tls.skipVerify,
    ...(tls.ca === '' ? {} : { ca: [...getCACertificates('default'), await readPem(tls.ca, 'certificate authority')] }),
    ...(tls.clientCert === '' ? {} : { cert: await readPem(tls.clientCert, 'client certificate') }),
    ...(tls.clientKey === '' ? {} : { key: await readPem(tls.clientKey, 'client key') }),
  };
}

/** HTTP/1.1 on purpose: layers on connections of their own are faster than streams that share one window. */
async function createAgent(tls: TlsSettings, progressTimeoutMs: number): Promise<Agent> {
  return new Agent({
    connect: await connectOptions(tls),
    headersTimeout: progressTimeoutMs,
    bodyTimeout: progressTimeoutMs,
    allowH2: false,
  });
}

function valuesOf(header: string | string[] | undefined): readonly string[] {
  if (header === undefined) return [];
  return typeof header === 'string' ? [header] : header;
}

/** Speaks HTTP with undici, one connection pool per set of TLS settings. */
export class UndiciTransport implements HttpTransport {
  readonly #agents = new Map<string, Promise<Agent>>();
  readonly #progressTimeoutMs: number;

  constructor(progressTimeoutMs: number) {
    this.#progressTimeoutMs = progressTimeoutMs;
  }

  async send({ url, method, headers, body, tls, signal }: HttpRequest): Promise<HttpResponse> {
    const dispatcher = await this.#agent(tls);
    const response = await request(url, { dispatcher, method, headers: { 'user-agent': userAgent, ...headers }, signal, ...(body === undefined ? {} : { body }) });
    return {
      status: response.statusCode,
      headers: (name) => valuesOf(response.headers[name]),
      body: response.body,
      discard: () => response.body.dump(),
    };
  }

  async close(): Promise<void> {
    const agents = await Promise.allSettled(this.#agents.values());
    this.#agents.clear();
    await Promise.all(agents.map((agent) => (agent.status === 'fulfilled' ? agent.value.destroy() : undefined)));
  }

  #agent(tls: TlsSettings): Promise<Agent> {
    const key = JSON.stringify(tls);
    const known = this.#agents.get(key);
    if (known !== undefined) return known;
    const made = createAgent(tls, this.#progressTimeoutMs);
    this.#agents.set(key, made);
    // A certificate file that was missing may be there at the next try.
    made.catch(() => this.#agents.delete(key));
    return made;
  }
}
