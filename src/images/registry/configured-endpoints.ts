import { isSameRegistry, registryNames, registryServer } from '../../oci/docker-hub.ts';
import type { RegistryHostConfig } from '../config.ts';
import { choose, type Credentials } from './credentials.ts';
import { plainConnection, type Connection, type Endpoint } from './endpoint.ts';

const plain: RegistryHostConfig = { server: '', mirrors: [], insecure: false, ca: '', clientCert: '', clientKey: '', skipVerify: false, username: '', password: '', identityToken: '' };

/** What the settings' `registries` tables say about servers. */
export class ConfiguredEndpoints {
  #hosts: Readonly<Record<string, RegistryHostConfig>>;

  constructor(hosts: Readonly<Record<string, RegistryHostConfig>>) {
    this.#hosts = hosts;
  }

  /** Other settings, from the next pull on. */
  replace(hosts: Readonly<Record<string, RegistryHostConfig>>): void {
    this.#hosts = hosts;
  }

  has(host: string): boolean {
    return this.#row(host) !== undefined;
  }

  /** Mirrors first. */
  endpoints(host: string): readonly [Endpoint, ...Endpoint[]] {
    const [first, ...rest] = this.#config(host).mirrors.map((mirror) => this.#endpoint(mirror, mirror, host));
    const own = this.registry(host);
    return first === undefined ? [own] : [first, ...rest, own];
  }

  /** The registry itself. */
  registry(host: string): Endpoint {
    const { server } = this.#config(host);
    return this.#endpoint(server === '' ? host : server, host, host);
  }

  connection(host: string): Connection {
    const { ca, clientCert, clientKey, skipVerify } = this.#config(host);
    return { ...plainConnection, ca: ca === '' ? [] : [ca], clients: clientCert === '' ? [] : [{ cert: clientCert, key: clientKey }], skipVerify };
  }

  credentials(host: string): Credentials {
    return choose({ ...this.#config(host), registryToken: '' });
  }

  /** `settings` names the table row that applies: a server is dialled with the settings of the host it serves. */
  #endpoint(dialled: string, settings: string, registry: string): Endpoint {
    const host = registryServer(dialled);
    return {
      host,
      origin: `${this.#config(settings).insecure ? 'http' : 'https'}://${host}`,
      path: '/v2',
      connection: this.connection(settings),
      headers: {},
      capabilities: { resolve: true, pull: true },
      isRegistry: settings === registry,
      namespace: isSameRegistry(dialled, registry) ? undefined : registry,
      credentials: this.credentials(settings),
    };
  }

  #config(host: string): RegistryHostConfig {
    return this.#row(host) ?? plain;
  }

  #row(host: string): RegistryHostConfig | undefined {
    const name = registryNames(host.toLowerCase()).find((each) => Object.hasOwn(this.#hosts, each));
    return name === undefined ? undefined : this.#hosts[name];
  }
}
