import { Authorizer, type Access } from './authorizer.ts';
import type { HttpResponse, HttpTransport } from './http-transport.ts';
import { followRedirects, isSameServer, type Arrival } from './redirects.ts';
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

/** What each server was shown, by origin. */
type Shown = Map<string, string | undefined>;

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
      const { response, url } = await this.#authorized(call);
      if (!expected.includes(response.status)) throw await refusal(call.doing, isSameServer(homeOf(call), url) ? host : `${host} redirects to ${url.host}, which`, response);
      return response;
    } catch (error) {
      call.signal.throwIfAborted();
      throw unreachable(call.doing, host, error);
    }
  }

  /** Each server on the way may demand authorization once: the registry, and another one that it redirects to. */
  async #authorized(call: RegistryCall): Promise<Arrival> {
    const answered = new Set<string>();
    for (;;) {
      const shown: Shown = new Map();
      const arrival = await followRedirects(firstUrl(call), (url) => this.#send(call, url, shown));
      const { response, url } = arrival;
      if (response.status !== 401 || answered.has(url.origin)) return arrival;
      answered.add(url.origin);
      const header = await this.#authorizer.answer(response, this.#accessAt(call, url), call.signal);
      if (header === undefined || header === shown.get(url.origin)) return arrival;
      await response.discard();
    }
  }

  #send(call: RegistryCall, url: URL, shown: Shown): Promise<HttpResponse> {
    const access = this.#accessAt(call, url);
    // Storage behind a redirect has its own signature in the URL; it must not learn the registry's token.
    const authorization = this.#authorizer.known(access);
    shown.set(url.origin, authorization);
    const headers = { ...access.endpoint.headers, ...call.headers, ...(authorization === undefined ? {} : { authorization }) };
    return this.#transport.send({ method: call.method, url, headers, connection: access.endpoint.connection, signal: call.signal });
  }

  /** Elsewhere nothing counts that was given for the registry: only what the settings have for that host. */
  #accessAt(call: RegistryCall, url: URL): Access {
    const { endpoint, path } = call.access;
    if (isSameServer(homeOf(call), url)) return call.access;
    const elsewhere = this.#authorizer.elsewhere(url, endpoint);
    return { endpoint: elsewhere, path: repositoryIn(url) ?? path, credentials: elsewhere.credentials };
  }
}

const homeOf = ({ access }: RegistryCall): URL => new URL(access.endpoint.origin);

function firstUrl({ access: { endpoint, path }, resource }: RegistryCall): URL {
  const url = new URL(`${endpoint.origin}${endpoint.path}/${path}/${resource}`);
  if (endpoint.namespace !== undefined) url.searchParams.set('ns', endpoint.namespace);
  return url;
}

/** Where another registry has the repository, by its API's addresses. */
function repositoryIn({ pathname }: URL): string | undefined {
  return /^\/v2\/(.+)\/(?:manifests|blobs)\/[^/]+$/.exec(pathname)?.[1];
}
