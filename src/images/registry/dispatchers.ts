import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { getCACertificates } from 'node:tls';
import { Agent, ProxyAgent, type Dispatcher } from 'undici';
import { BerthError } from '../../lib/errors.ts';
import type { Connection } from './endpoint.ts';
import { proxyFor } from './proxy.ts';

async function readPem(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new BerthError('precondition', `cannot read the ${what} ${path}`, { cause, hint: 'correct [registries] or the hosts.toml that names it' });
  }
}

interface Connector {
  readonly timeout: number;
  readonly rejectUnauthorized: boolean;
  readonly ca?: readonly string[];
  readonly cert?: readonly string[];
  readonly key?: readonly string[];
}

/** Files are read each time: certificates are renewed while the daemon runs. */
async function connectorOf({ ca, clients, skipVerify, dialTimeoutMs }: Connection): Promise<Connector> {
  const authorities = await Promise.all(ca.map((path) => readPem(path, 'certificate authority')));
  const certs = await Promise.all(clients.map(({ cert }) => readPem(cert, 'client certificate')));
  const keys = await Promise.all(clients.map(({ cert, key }) => readPem(key === '' ? cert : key, 'client key')));
  return {
    timeout: dialTimeoutMs,
    rejectUnauthorized: !skipVerify,
    ...(authorities.length === 0 ? {} : { ca: [...getCACertificates('default'), ...authorities] }),
    ...(certs.length === 0 ? {} : { cert: certs, key: keys }),
  };
}

interface Pool {
  /** Of the settings and the files they name. */
  readonly fingerprint: string;
  readonly dispatcher: Dispatcher;
}

/** One connection pool for each way to connect; it is replaced when a file of it has changed. */
export class Dispatchers {
  readonly #pools = new Map<string, Pool>();
  readonly #progressTimeoutMs: number;
  readonly #environment: Readonly<Record<string, string | undefined>>;

  constructor(progressTimeoutMs: number, environment: Readonly<Record<string, string | undefined>>) {
    this.#progressTimeoutMs = progressTimeoutMs;
    this.#environment = environment;
  }

  /** Fails `precondition` when a file cannot be read or the proxy's address is none. */
  async for(url: URL, connection: Connection): Promise<Dispatcher> {
    const proxy = connection.proxy === '' ? proxyFor(url, this.#environment) : connection.proxy;
    const connector = await connectorOf(connection);
    const key = JSON.stringify({ ...connection, proxy });
    const fingerprint = createHash('sha256').update(JSON.stringify(connector)).digest('base64');
    const known = this.#pools.get(key);
    if (known?.fingerprint === fingerprint) return known.dispatcher;
    const dispatcher = this.#create(connector, proxy);
    this.#pools.set(key, { fingerprint, dispatcher });
    // Downloads under way go on over the old one.
    known?.dispatcher.close().catch(() => undefined);
    return dispatcher;
  }

  async close(): Promise<void> {
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    await Promise.all(pools.map(({ dispatcher }) => dispatcher.destroy()));
  }

  /** HTTP/1.1 on purpose: layers on connections of their own are faster than streams that share one window. */
  #create(connector: Connector, proxy: string): Dispatcher {
    const connect = connector as NonNullable<Agent.Options['connect']>;
    const options = { connect, headersTimeout: this.#progressTimeoutMs, bodyTimeout: this.#progressTimeoutMs, allowH2: false };
    if (proxy === '') return new Agent(options);
    if (!URL.canParse(proxy)) throw new BerthError('precondition', 'the address of the HTTP proxy is malformed', { hint: 'correct HTTP_PROXY and HTTPS_PROXY of berthd' });
    return new ProxyAgent({ ...options, uri: proxy, requestTls: connector, proxyTls: { timeout: connector.timeout } } as ProxyAgent.Options);
  }
}
