import type { Clock } from '../../lib/clock.ts';
import { BerthError } from '../../lib/errors.ts';
import { fieldOf, parseJsonObject, stringField } from '../../lib/json-fields.ts';
import { parseChallenges, type Challenge } from './challenge.ts';
import { basicHeader, fingerprint, type Credentials } from './credentials.ts';
import type { Connection, Endpoint } from './endpoint.ts';
import type { HttpResponse, HttpTransport } from './http-transport.ts';
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
  readonly connection: (url: URL, endpoint: Endpoint) => Connection;
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

  /** For a host that the endpoint sends us to: a token service, or storage behind a redirect. */
  connection(url: URL, endpoint: Endpoint): Connection {
    return this.#parts.connection(url, endpoint);
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
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    if (bearer !== undefined && credentials.kind !== 'bearer') return this.#fetchToken(bearer, access, signal);
    const takesBasic = challenges.some(({ scheme }) => scheme === 'basic');
    if (!takesBasic || credentials.kind !== 'password') return undefined;
    return { header: basicHeader(credentials.username, credentials.password), expiresAtMs: this.#parts.clock.monotonicMs() + longestLifeMs };
  }

  async #fetchToken(challenge: Challenge, access: Access, signal: AbortSignal): Promise<Grant> {
    const realm = checkRealm(challenge.parameters.get('realm') ?? '', access.endpoint);
    const doing = `get a token for ${access.endpoint.host}/${access.path}`;
    try {
      const response = await this.#ask(realm, { challenge, access, signal });
      if (response.status !== 200) throw await refusal(doing, realm.host, response);
      return this.#readToken(await readBody(response, maxTokenBytes, 'token'), realm.host);
    } catch (error) {
      signal.throwIfAborted();
      throw unreachable(doing, realm.host, error);
    }
  }

  #ask(realm: URL, { challenge, access, signal }: { challenge: Challenge; access: Access; signal: AbortSignal }): Promise<HttpResponse> {
    const fields = new URLSearchParams({ service: challenge.parameters.get('service') ?? '', scope: challenge.parameters.get('scope') ?? `repository:${access.path}:pull` });
    const common = { connection: this.connection(realm, access.endpoint), signal };
    const { credentials } = access;
    if (credentials.kind === 'identity') {
      const form = { grant_type: 'refresh_token', client_id: clientId, refresh_token: credentials.token };
      for (const [name, value] of Object.entries(form)) fields.set(name, value);
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      return this.#parts.transport.send({ method: 'POST', url: realm, headers, body: fields.toString(), ...common });
    }
    const url = new URL(realm);
    for (const [name, value] of fields) url.searchParams.set(name, value);
    const headers: Record<string, string> = credentials.kind === 'password' ? { authorization: basicHeader(credentials.username, credentials.password) } : {};
    return this.#parts.transport.send({ method: 'GET', url, headers, ...common });
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
