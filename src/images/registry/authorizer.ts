import type { Clock } from '../../lib/clock.ts';
import { BerthError } from '../../lib/errors.ts';
import { fieldOf, parseJsonObject, stringField } from '../../lib/json-fields.ts';
import { parseChallenges, type Challenge } from './challenge.ts';
import { anonymous, basicHeader, fingerprint, type Credentials } from './credentials.ts';
import type { Endpoint, EndpointResolver } from './endpoint.ts';
import type { HttpResponse, HttpTransport } from './http-transport.ts';
import { followRedirects, isSameServer, type Arrival } from './redirects.ts';
import { readBody, refusal, unreachable } from './registry-error.ts';

/** Who asks for what: the smallest thing a token is good for. */
export interface Access {
  readonly endpoint: Endpoint;
  /** Repository path on its host. */
  readonly path: string;
  readonly credentials: Credentials;
}

export interface AuthorizerParts {
  readonly transport: HttpTransport;
  readonly clock: Clock;
  readonly elsewhere: EndpointResolver['elsewhere'];
}

interface Grant {
  readonly header: string;
  readonly expiresAtMs: number;
}

const maxTokenBytes = 1024 * 1024;
const defaultTokenSeconds = 60;
/** A token is not used in its last moments, since the request still has to travel. */
const leewayMs = 5000;
/** Credentials that are renewed are other ones each time, and nobody says when the old ones are of no use any more. */
const longestLifeMs = 3_600_000;
const clientId = 'berth';

/** Answers registries' demands for authorization, and keeps tokens until they expire. Secrets never reach a log. */
export class Authorizer {
  readonly #parts: AuthorizerParts;
  readonly #grants = new Map<string, Grant>();

  constructor(parts: AuthorizerParts) {
    this.#parts = parts;
  }

  /** See EndpointResolver.elsewhere. */
  elsewhere(url: URL, endpoint: Endpoint): Endpoint {
    return this.#parts.elsewhere(url, endpoint);
  }

  /** The header that worked before, or that needs no asking. */
  known(access: Access): string | undefined {
    const grant = this.#grants.get(keyOf(access));
    if (grant !== undefined && grant.expiresAtMs > this.#parts.clock.monotonicMs()) return grant.header;
    return access.credentials.kind === 'bearer' ? `Bearer ${access.credentials.token}` : undefined;
  }

  /** The `Authorization` header that answers a 401, or undefined when there is nothing to show. */
  async answer(challenge: HttpResponse, access: Access, signal: AbortSignal): Promise<string | undefined> {
    const challenges = parseChallenges(challenge.headers('www-authenticate'));
    const grant = await this.#grant(challenges, access, signal);
    if (grant === undefined) return undefined;
    this.#forgetExpired();
    this.#grants.set(keyOf(access), grant);
    return grant.header;
  }

  async #grant(challenges: readonly Challenge[], access: Access, signal: AbortSignal): Promise<Grant | undefined> {
    const { credentials } = access;
    const takesBasic = challenges.some(({ scheme }) => scheme === 'basic');
    const bearers = challenges.filter(({ scheme }) => scheme === 'bearer');
    // One that names no token service is a fault of the registry's, unless it has another way.
    const bearer = bearers.find(({ parameters }) => parameters.has('realm')) ?? (takesBasic ? undefined : bearers[0]);
    if (bearer !== undefined && credentials.kind !== 'bearer') return this.#fetchToken(bearer, access, signal);
    if (!takesBasic || credentials.kind !== 'password') return undefined;
    return { header: basicHeader(credentials.username, credentials.password), expiresAtMs: this.#parts.clock.monotonicMs() + longestLifeMs };
  }

  async #fetchToken(challenge: Challenge, access: Access, signal: AbortSignal): Promise<Grant> {
    const realm = checkRealm(challenge.parameters.get('realm') ?? '', access.endpoint);
    const doing = `get a token for ${access.endpoint.host}/${access.path}`;
    try {
      const { response, url } = await this.#ask(realm, { challenge, access, signal });
      if (response.status < 200 || response.status > 299) throw await refusal(doing, url.host, response);
      return this.#readToken(await readBody(response, maxTokenBytes, 'token'), url.host);
    } catch (error) {
      signal.throwIfAborted();
      throw unreachable(doing, realm.host, error);
    }
  }

  /** An identity token goes by POST, all else by GET. */
  #ask(realm: URL, { challenge, access, signal }: { challenge: Challenge; access: Access; signal: AbortSignal }): Promise<Arrival> {
    const fields = fieldsOf(challenge, access);
    const { credentials, endpoint } = access;
    const url = new URL(realm);
    if (credentials.kind !== 'identity') {
      for (const [name] of fields) url.searchParams.delete(name);
      for (const [name, value] of fields) url.searchParams.append(name, value);
    }
    return followRedirects(url, (to, status) => {
      const shown = isSameServer(url, to) ? credentials : anonymous;
      const common = { url: to, connection: this.elsewhere(to, endpoint).connection, signal };
      if (credentials.kind !== 'identity' || (status !== undefined && status <= 303)) return this.#parts.transport.send({ method: 'GET', headers: basicOf(shown), ...common });
      if (shown.kind !== 'identity') throw new BerthError('registry', `the token service ${url.host} would have an identity token sent to ${to.host}`);
      return this.#parts.transport.send({ method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: refreshForm(fields, shown.token), ...common });
    });
  }

  #readToken(body: Uint8Array, host: string): Grant {
    const object = parseJsonObject(body, `token from ${host}`);
    const token = stringField(object, 'token', 'token') || stringField(object, 'access_token', 'token');
    if (token === '' || /[^\x21-\x7e]/.test(token)) throw new BerthError('registry', `the token service ${host} gave no usable token`);
    const lifetime = fieldOf(object, 'expires_in');
    const seconds = typeof lifetime === 'number' ? lifetime : defaultTokenSeconds;
    const lifeMs = Math.min(Math.max(seconds * 1000 - leewayMs, leewayMs), longestLifeMs);
    return { header: `Bearer ${token}`, expiresAtMs: this.#parts.clock.monotonicMs() + lifeMs };
  }

  #forgetExpired(): void {
    const now = this.#parts.clock.monotonicMs();
    for (const [key, { expiresAtMs }] of this.#grants) if (expiresAtMs <= now) this.#grants.delete(key);
  }
}

const basicOf = (credentials: Credentials): Record<string, string> => (credentials.kind === 'password' ? { authorization: basicHeader(credentials.username, credentials.password) } : {});

/** What the registry wants its token service to be asked, and no more: some refuse a field that they do not know. A scope of several words is as many fields. */
function fieldsOf({ parameters }: Challenge, { path }: Access): readonly (readonly [string, string])[] {
  const service = parameters.get('service') ?? '';
  const scopes = (parameters.get('scope') ?? '').split(' ').filter((scope) => scope !== '');
  const wanted = scopes.length > 0 ? scopes : [`repository:${path}:pull`];
  return [...(service === '' ? [] : [['service', service] as const]), ...wanted.map((scope) => ['scope', scope] as const)];
}

/** RFC 6749, section 6: there scopes are one field again. */
function refreshForm(fields: readonly (readonly [string, string])[], token: string): string {
  const form = new URLSearchParams({ grant_type: 'refresh_token', client_id: clientId, refresh_token: token });
  for (const [name, value] of fields) form.set(name, name === 'scope' && form.has(name) ? `${form.get(name) ?? ''} ${value}` : value);
  return form.toString();
}

function keyOf({ endpoint, path, credentials }: Access): string {
  return `${endpoint.origin}${endpoint.path} ${endpoint.namespace ?? ''} ${path} ${fingerprint(credentials)}`;
}

/** The registry chooses where the password goes, so at least it must not travel in the clear from a TLS registry. */
function checkRealm(text: string, endpoint: Endpoint): URL {
  const realm = URL.parse(text);
  const isPlain = realm?.protocol === 'http:';
  const isAllowed = realm?.protocol === 'https:' || (isPlain && endpoint.origin.startsWith('http:'));
  if (realm === null || !isAllowed) throw new BerthError('registry', `${endpoint.host} names an unusable token service`);
  return realm;
}
