import type { AddressInfo } from 'node:net';
import { BerthError } from '../lib/errors.ts';
import { parseHostPort, type HostPort } from '../lib/host-port.ts';

/** A `host:port` that names its host. Fails `invalid`. */
export function parseAddress(address: string): HostPort {
  const found = parseHostPort(address);
  if (found === undefined || found.host === '') throw new BerthError('invalid', `[streaming] address "${address}" is not host:port`, { hint: 'port 0 is any free one, as in "127.0.0.1:0"' });
  return found;
}

/** `host:port` for URLs. The kubelet is on this machine, so what listens everywhere is named by its loopback address. */
export function urlHost({ address, family, port }: Pick<AddressInfo, 'address' | 'family' | 'port'>): string {
  const named = address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address;
  return family === 'IPv6' ? `[${named}]:${port}` : `${named}:${port}`;
}
