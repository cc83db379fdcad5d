import { createHash } from 'node:crypto';
import { BerthError } from '../../lib/errors.ts';
import { isSameRegistry } from '../../oci/docker-hub.ts';
import type { RegistryAuth } from '../port.ts';
import type { Endpoint } from './endpoint.ts';

/** What may be shown to one server. */
export type Credentials =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  | { readonly kind: 'identity'; readonly token: string }
  | { readonly kind: 'bearer'; readonly token: string };

export const anonymous: Credentials = { kind: 'anonymous' };

/** `https://host/v1/`, `host:port` and the like → `host[:port]`, without a port that the scheme has by itself. */
function hostOf(serverAddress: string): string {
  const withScheme = serverAddress.includes('://') ? serverAddress : `https://${serverAddress}`;
  const url = URL.parse(withScheme);
  if (url === null) throw new BerthError('invalid', 'the server address of the credentials is malformed');
  return url.host;
}

/** Credentials without an address are for the reference's own registry; with one, for the server of that address alone. */
function isFor(auth: RegistryAuth, endpoint: Endpoint, registry: string): boolean {
  if (auth.serverAddress === '') return endpoint.isRegistry;
  const host = hostOf(auth.serverAddress);
  return isSameRegistry(host, hostOf(endpoint.host)) || (isSameRegistry(host, hostOf(registry)) && endpoint.isRegistry);
}

/** The strongest of the secrets that are set. */
export function choose({ username, password, identityToken, registryToken }: Omit<RegistryAuth, 'serverAddress'>): Credentials {
  if (registryToken !== '') return { kind: 'bearer', token: registryToken };
  if (identityToken !== '') return { kind: 'identity', token: identityToken };
  return username === '' ? anonymous : { kind: 'password', username, password };
}

/** What `endpoint` may see: the credentials given for a reference on `registry` if they are for it, else those of the settings. */
export function credentialsFor(auth: RegistryAuth | undefined, endpoint: Endpoint, registry: string): Credentials {
  return auth !== undefined && isFor(auth, endpoint, registry) ? choose(auth) : endpoint.credentials;
}

/** Tells apart callers with different rights without keeping their secrets. */
export function fingerprint(value: RegistryAuth | Credentials | undefined): string {
  return createHash('sha256').update(JSON.stringify(value ?? null)).digest('base64');
}

export function basicHeader(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
