import type { AddressInfo } from 'node:net';
import { BerthError } from '../lib/errors.ts';

const maxPort = 65_535;

/** Splits `host:port`; a host may be an IPv6 address in brackets. Fails `invalid`. */
export function parseAddress(address: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d+)$/.exec(address);
  const port = Number(match?.[3]);
  if (match === null || port > maxPort) throw new BerthError('invalid', `[streaming] address "${address}" is not host:port`, { hint: 'port 0 is any free one, as in "127.0.0.1:0"' });
  return { host: match[1] ?? match[2] ?? '', port };
}

/** `host:port` for URLs. The kubelet is on this machine, so what listens everywhere is named by its loopback address. */
export function urlHost({ address, family, port }: Pick<AddressInfo, 'address' | 'family' | 'port'>): string {
  const named = address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address;
  return family === 'IPv6' ? `[${named}]:${port}` : `${named}:${port}`;
}
