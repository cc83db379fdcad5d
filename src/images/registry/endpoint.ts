import type { RegistryHostConfig } from '../config.ts';
import { choose, type Credentials } from './credentials.ts';

export interface TlsSettings {
  readonly ca: string;
  readonly clientCert: string;
  readonly clientKey: string;
  readonly skipVerify: boolean;
}

/** One server that may answer for a registry. */
export interface Endpoint {
  /** `host[:port]` as it is dialled. */
  readonly host: string;
  /** Scheme, host and port; API paths begin after it. */
  readonly origin: string;
  readonly tls: TlsSettings;
  /** Set on a mirror: the host it stands in for. */
  readonly mirrorOf: string | undefined;
  /** From the settings, for pulls that bring none. */
  readonly credentials: Credentials;
}

/** Which servers to ask for a registry host, in order, and how to secure a connection to any host. */
export interface EndpointResolver {
  endpoints(host: string): readonly [Endpoint, ...Endpoint[]];
  tls(host: string): TlsSettings;
}

const plain: RegistryHostConfig = { server: '', mirrors: [], insecure: false, ca: '', clientCert: '', clientKey: '', skipVerify: false, username: '', password: '', identityToken: '' };

/** Resolves from the settings' `registries` tables. */
export class ConfiguredEndpoints implements EndpointResolver {
  readonly #hosts: Readonly<Record<string, RegistryHostConfig>>;

  constructor(hosts: Readonly<Record<string, RegistryHostConfig>>) {
    this.#hosts = hosts;
  }

  endpoints(host: string): readonly [Endpoint, ...Endpoint[]] {
    const { server, mirrors } = this.#config(host);
    const own = this.#endpoint(server === '' ? host : server, host, undefined);
    const [first, ...rest] = mirrors.map((mirror) => this.#endpoint(mirror, mirror, host));
    return first === undefined ? [own] : [first, ...rest, own];
  }

  tls(host: string): TlsSettings {
    const { ca, clientCert, clientKey, skipVerify } = this.#config(host);
    return { ca, clientCert, clientKey, skipVerify };
  }

  /** `settings` names the table row that applies: a server is dialled with the settings of the host it serves. */
  #endpoint(dialled: string, settings: string, mirrorOf: string | undefined): Endpoint {
    const config = this.#config(settings);
    const origin = `${config.insecure ? 'http' : 'https'}://${dialled}`;
    return { host: dialled, origin, tls: this.tls(settings), mirrorOf, credentials: choose({ ...config, registryToken: '' }) };
  }

  #config(host: string): RegistryHostConfig {
    return Object.hasOwn(this.#hosts, host) ? (this.#hosts[host] ?? plain) : plain;
  }
}
