import type { Credentials } from './credentials.ts';

/** How to connect to a server. */
export interface Connection {
  /** PEM files with further certificate authorities. */
  readonly ca: readonly string[];
  /** PEM files that this node shows; an empty key is in the certificate's file. */
  readonly clients: readonly { readonly cert: string; readonly key: string }[];
  /** Accept any certificate. */
  readonly skipVerify: boolean;
  readonly dialTimeoutMs: number;
  /** Address of an HTTP proxy; empty: what the environment says. */
  readonly proxy: string;
}

/** A connection about which nothing is set. */
export const plainConnection: Connection = { ca: [], clients: [], skipVerify: false, dialTimeoutMs: 10_000, proxy: '' };

/** One server that may answer for a registry. */
export interface Endpoint {
  /** `host[:port]` as it is dialled. */
  readonly host: string;
  /** Scheme, host and port. */
  readonly origin: string;
  /** Where the API is below the origin, without a slash at its end. */
  readonly path: string;
  readonly connection: Connection;
  /** Sent with each request to this server, and to no other. */
  readonly headers: Readonly<Record<string, string>>;
  /** `resolve`: it may say what a tag means. `pull`: it may serve what a digest names. */
  readonly capabilities: { readonly resolve: boolean; readonly pull: boolean };
  /** The registry itself, which may see credentials given for it, and not a mirror. */
  readonly isRegistry: boolean;
  /** The registry it stands in for, where that has another name: told to it as `ns`. */
  readonly namespace: string | undefined;
  /** From the settings, for pulls that bring none. */
  readonly credentials: Credentials;
}

/** Which servers to ask for a registry, and how to speak to any other host that they send us to. */
export interface EndpointResolver {
  /** In the order in which to ask. Looks at the settings anew; fails `precondition` when they cannot be used. */
  endpoints(host: string): Promise<readonly [Endpoint, ...Endpoint[]]>;
  /** A token service, storage or another registry that `endpoint` sends us to. Its credentials are those that the settings have for it by name. */
  elsewhere(url: URL, endpoint: Endpoint): Endpoint;
}
