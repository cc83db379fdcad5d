import { Authorizer, type Access } from './authorizer.ts';
import type { HttpResponse, HttpTransport } from './http-transport.ts';
import { refusal, unreachable } from './registry-error.ts';

export interface RegistryCall {
  readonly access: Access;
  readonly method: 'GET' | 'HEAD';
  /** Below `/v2/<repository>/`. */
  readonly resource: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Reads as in "cannot <doing>". */
  readonly doing: string;
  readonly signal: AbortSignal;
}

const maxRedirects = 5;

/** Sends authorized calls of the OCI distribution API to one server and follows its redirects. */
export class RegistryClient {
  readonly #transport: HttpTransport;
  readonly #authorizer: Authorizer;

  constructor(transport: HttpTransport, authorizer: Authorizer) {
    this.#transport = transport;
    this.#authorizer = authorizer;
  }

  /** Resolves with any of the `expected` statuses; everything else rejects with a RegistryError. */
  async call(call: RegistryCall, expected: readonly number[]): Promise<HttpResponse> {
    const { host } = call.access.endpoint;
    try {
      const response = await this.#authorized(call);
      if (!expected.includes(response.status)) throw await refusal(call.doing, host, response);
      return response;
    } catch (error) {
      call.signal.throwIfAborted();
      throw unreachable(call.doing, host, error);
    }
  }

  async #authorized(call: RegistryCall): Promise<HttpResponse> {
    const known = this.#authorizer.known(call.access);
    const { response, isHome } = await this.#follow(call, known);
    // Storage behind a redirect has no say in where credentials go.
    if (response.status !== 401 || !isHome) return response;
    const header = await this.#authorizer.answer(response, call.access, call.signal);
    if (header === undefined || header === known) return response;
    await response.discard();
    return (await this.#follow(call, header)).response;
  }

  async #follow(call: RegistryCall, authorization: string | undefined): Promise<Followed> {
    const { endpoint, path } = call.access;
    let url = new URL(`${endpoint.origin}${endpoint.path}/${path}/${call.resource}`);
    if (endpoint.namespace !== undefined) url.searchParams.set('ns', endpoint.namespace);
    const authorized = { ...endpoint.headers, ...call.headers, ...(authorization === undefined ? {} : { authorization }) };
    for (let hops = 0; ; hops += 1) {
      // Storage behind a redirect has its own signature in the URL; it must not learn the registry's token.
      const isHome = url.origin === new URL(endpoint.origin).origin;
      const response = await this.#send(call, url, isHome ? authorized : call.headers);
      const location = redirectOf(response);
      if (location === undefined) return { response, isHome };
      await response.discard();
      if (hops === maxRedirects) throw new Error('too many redirects');
      url = nextUrl(url, location);
    }
  }

  #send(call: RegistryCall, url: URL, headers: Readonly<Record<string, string>>): Promise<HttpResponse> {
    const { endpoint } = call.access;
    const connection = url.origin === new URL(endpoint.origin).origin ? endpoint.connection : this.#authorizer.connection(url, endpoint);
    return this.#transport.send({ method: call.method, url, headers, connection, signal: call.signal });
  }
}

interface Followed {
  readonly response: HttpResponse;
  /** The registry itself answered, and not a server that it redirects to. */
  readonly isHome: boolean;
}

function redirectOf(response: HttpResponse): string | undefined {
  return [301, 302, 303, 307, 308].includes(response.status) ? response.headers('location')[0] : undefined;
}

function nextUrl(from: URL, location: string): URL {
  const to = new URL(location, from);
  const isSafe = to.protocol === 'https:' || (to.protocol === 'http:' && from.protocol === 'http:');
  if (!isSafe) throw new Error(`it redirects to an insecure address on ${to.host}`);
  return to;
}
