import { BerthError } from '../lib/errors.ts';
import { parseHostPort } from '../lib/host-port.ts';
import { isRegistryHost } from '../oci/reference.ts';
import { leaf, wrongValue, type Field, type Place } from './field.ts';

/** A string that `isGood`; the fallback is not asked. */
function text(fallback: string, expected: string, isGood: (value: string) => boolean): Field<string> {
  return leaf(fallback, (value, place) => {
    if (typeof value !== 'string' || !isGood(value)) throw wrongValue(place, expected, value);
    return value;
  });
}

/** `host:port` with a host. */
export const address = (fallback: string): Field<string> => text(fallback, 'host:port such as "127.0.0.1:0"', (value) => (parseHostPort(value)?.host ?? '') !== '');

/** `host:port`, the absolute path of a unix socket, or empty. */
export const addressOrSocket = (fallback: string): Field<string> =>
  text(fallback, 'host:port such as "127.0.0.1:9464", the absolute path of a unix socket, or empty', (value) => value === '' || value.startsWith('/') || parseHostPort(value) !== undefined);

/** The address of a collector; empty: none. */
export const collector = (fallback: string): Field<string> =>
  text(fallback, 'an address such as "http://127.0.0.1:4317", or empty', (value) => value === '' || /^https?:$/.test(URL.parse(value)?.protocol ?? ''));

const hostExpected = 'host[:port] without a scheme, such as "mirror.example:5000"';

/** `host[:port]` of a registry's server; empty only where the fallback is empty. */
export const registryHost = (fallback?: string): Field<string> => text(fallback ?? '', hostExpected, (value) => isRegistryHost(value) || value === fallback);

/** The name of a registry's table; hosts are the same in either case. */
export function registryName(written: string, place: Place): string {
  if (!isRegistryHost(written)) throw new BerthError('invalid', `${place.key} in ${place.file} must be named ${hostExpected}`);
  return written.toLowerCase();
}

/** `host[/namespace]` that goes before short image names; empty: none does. */
export const registryPrefix = (fallback: string): Field<string> =>
  text(fallback, 'host[/namespace] without a scheme, such as "docker.io/library", or empty', (value) => value === '' || isRegistryPrefix(value));

function isRegistryPrefix(value: string): boolean {
  const [host = '', ...namespace] = value.split('/');
  return isRegistryHost(host) && namespace.every((part) => /^[a-z0-9]+(?:[._-]+[a-z0-9]+)*$/.test(part));
}
