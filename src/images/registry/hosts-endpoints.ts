import { isSameRegistry, registryServer } from '../../oci/docker-hub.ts';
import type { HostFields, HostsFile } from '../../config/hosts-file.ts';
import type { ConfiguredEndpoints } from './configured-endpoints.ts';
import { anonymous } from './credentials.ts';
import { plainConnection, type Connection, type Endpoint, type EndpointResolver } from './endpoint.ts';
import type { HostsDirectory } from './hosts-directory.ts';

/**
 * Resolves from hosts.toml files and the settings. A registry's own directory goes before its table in the settings, and
 * that before the directory for all registries. Credentials are in the settings alone.
 */
export class HostsEndpoints implements EndpointResolver {
  readonly #directory: HostsDirectory;
  readonly #configured: ConfiguredEndpoints;

  constructor(directory: HostsDirectory, configured: ConfiguredEndpoints) {
    this.#directory = directory;
    this.#configured = configured;
  }

  async endpoints(host: string): Promise<readonly [Endpoint, ...Endpoint[]]> {
    const own = await this.#directory.find(host);
    if (own !== undefined) return this.#listed(own, host, true);
    if (this.#configured.has(host)) return this.#configured.endpoints(host);
    const fallback = await this.#directory.fallback();
    return fallback === undefined ? this.#configured.endpoints(host) : this.#listed(fallback, host, false);
  }

  elsewhere(url: URL, endpoint: Endpoint): Endpoint {
    const { host, origin } = url;
    const connection = this.#connection(url, endpoint);
    // What the settings have for a host that speaks TLS must not travel in the clear because someone says so.
    const credentials = this.#configured.registry(host).origin === origin ? this.#configured.credentials(host) : anonymous;
    return { host, origin, path: '/v2', connection, headers: {}, capabilities: endpoint.capabilities, isRegistry: false, namespace: undefined, credentials };
  }

  /** Whatever a registry runs on its own host is reached as it is; others learn no client certificate, but the way to them is the same. */
  #connection(url: URL, { origin, connection }: Endpoint): Connection {
    if (url.hostname === new URL(origin).hostname) return connection;
    const { ca, dialTimeoutMs, proxy } = connection;
    // The settings have neither a proxy nor a timeout for one host.
    const other = this.#configured.has(url.host) ? this.#configured.connection(url.host) : { ...plainConnection, ca };
    return { ...other, dialTimeoutMs, proxy };
  }

  #listed({ hosts, server }: HostsFile, registry: string, isOwn: boolean): readonly [Endpoint, ...Endpoint[]] {
    // A server for all registries must not see the credentials of each.
    const last = server.url === undefined ? this.#atItsName(server.fields, registry) : this.#at(server.url, server.fields, { registry, isRegistry: isOwn });
    const [first, ...rest] = hosts.map(({ url, fields }) => this.#at(url, fields, { registry, isRegistry: false }));
    return first === undefined ? [last] : [first, ...rest, last];
  }

  #at(url: URL, fields: HostFields, { registry, isRegistry }: { readonly registry: string; readonly isRegistry: boolean }): Endpoint {
    const isSame = isSameRegistry(url.host, registry);
    const host = registryServer(url.host);
    return {
      host,
      origin: `${url.protocol}//${host}`,
      path: pathOf(url, fields),
      connection: connectionOf(fields),
      headers: fields.header,
      capabilities: capabilitiesOf(fields),
      isRegistry: isRegistry || isSame,
      namespace: isSame ? undefined : registry,
      credentials: this.#configured.credentials(isRegistry || isSame ? registry : url.host),
    };
  }

  /** The settings say where and how; what the file has goes before. */
  #atItsName(fields: HostFields, registry: string): Endpoint {
    const endpoint = this.#configured.registry(registry);
    const speaksOfTls = fields.ca.length > 0 || fields.client.length > 0 || fields.skipVerify;
    const { ca, clients, skipVerify } = speaksOfTls ? connectionOf(fields) : endpoint.connection;
    return { ...endpoint, headers: fields.header, capabilities: capabilitiesOf(fields), connection: { ...connectionOf(fields), ca, clients, skipVerify } };
  }
}

function connectionOf({ ca, client, skipVerify, dialTimeout, proxy }: HostFields): Connection {
  return { ca, clients: client, skipVerify, dialTimeoutMs: dialTimeout === 0 ? plainConnection.dialTimeoutMs : dialTimeout, proxy };
}

function pathOf({ pathname }: URL, { overridePath }: HostFields): string {
  const path = pathname.replace(/\/+$/, '');
  return overridePath || path.endsWith('/v2') ? path : `${path}/v2`;
}

function capabilitiesOf({ capabilities }: HostFields): Endpoint['capabilities'] {
  const has = (name: 'pull' | 'resolve'): boolean => capabilities.length === 0 || capabilities.includes(name);
  return { resolve: has('resolve'), pull: has('pull') };
}
