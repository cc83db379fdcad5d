import { dirname, resolve } from 'node:path';
import { parseToml } from './parse-toml.ts';
import { flag, leaf, listOf, oneOf, wrongValue, type Place, type ValueOf } from './field.ts';
import { table, tableOf } from './table.ts';

/** PEM files that a node shows; an empty key is in the certificate's file. */
export interface ClientFiles {
  readonly cert: string;
  readonly key: string;
}

function asPath(value: unknown, place: Place, expected = 'a path'): string {
  if (typeof value !== 'string' || value === '') throw wrongValue(place, expected, value);
  return resolve(dirname(place.file), value);
}

/** One path or a list of them; relative ones begin at the file. */
const paths = leaf<readonly string[]>([], (value, place) => {
  const given: readonly unknown[] = Array.isArray(value) ? value : [value];
  return given.map((path) => asPath(path, place, 'a path or a list of paths'));
});

/** One path, a list of paths, or a list of pairs. */
const clients = leaf<readonly ClientFiles[]>([], (value, place) => {
  const expected = 'a path, or a list of paths or of [certificate, key] pairs';
  const given: readonly unknown[] = Array.isArray(value) ? value : [value];
  return given.map((entry) => {
    if (!Array.isArray(entry)) return { cert: asPath(entry, place, expected), key: '' };
    const [cert, key] = entry as readonly unknown[];
    if (entry.length !== 2) throw wrongValue(place, expected, entry);
    return { cert: asPath(cert, place, expected), key: key === '' ? '' : asPath(key, place, expected) };
  });
});

const headerName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Header names in lower case; several values of one name are joined. */
const headers = leaf<Readonly<Record<string, string>>>({}, (value, place) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrongValue(place, 'a table', value);
  return Object.fromEntries(
    Object.entries(value).map(([name, given]: [string, unknown]) => {
      const values: readonly unknown[] = Array.isArray(given) ? given : [given];
      const usable = values.filter((part): part is string => typeof part === 'string' && /^[\t\x20-\x7e]*$/.test(part));
      if (!headerName.test(name) || usable.length < values.length) throw wrongValue({ ...place, key: `${place.key}.${name}` }, 'one line of text or a list of them', given);
      return [name.toLowerCase(), usable.join(', ')];
    }),
  );
});

const unitMs: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** As Go writes durations, such as "1m30s"; milliseconds, 0 when absent. */
const goDuration = leaf(0, (value, place) => {
  const parts = typeof value === 'string' && /^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/.test(value) ? [...value.matchAll(/([\d.]+)([a-zµ]+)/g)] : [];
  const total = parts.reduce((sum, [, amount, unit = '']) => sum + Number(amount) * (unitMs[unit] ?? 0), 0);
  if (total < 1) throw wrongValue(place, 'a duration such as "500ms", "10s" or "1m30s"', value);
  return total;
});

/** The address of a server with its scheme; https is added where there is none. */
function asUrl(value: unknown, place: Place): URL {
  const url = typeof value === 'string' ? URL.parse(/^[a-z0-9]+:\/\//i.test(value) ? value : `https://${value}`) : null;
  const isPlain = url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.search === '' && url.hash === '';
  if (!isPlain) throw wrongValue(place, 'an address such as "https://mirror.example:5000"', value);
  return url;
}

const server = leaf<URL | undefined>(undefined, asUrl);

const proxy = leaf('', (value, place) => {
  const url = typeof value === 'string' ? URL.parse(value) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) throw wrongValue(place, 'the address of an HTTP proxy such as "http://proxy.example:3128"', value);
  return url.href;
});

const hostFields = {
  /** Empty: all of them. */
  capabilities: listOf(oneOf('pull', ['pull', 'resolve', 'push']), []),
  ca: paths,
  client: clients,
  skipVerify: flag(false),
  /** The address holds the whole path of the API; otherwise `/v2` is added to it. */
  overridePath: flag(false),
  header: headers,
  dialTimeout: goDuration,
  proxy,
};

const oneHost = table(hostFields);
const schema = table({ ...hostFields, server, host: tableOf(oneHost) });

/** What a hosts.toml says about one server. */
export type HostFields = ValueOf<typeof oneHost>;

export interface HostsFile {
  /** Servers to ask first, in the order in which the file has them. */
  readonly hosts: readonly { readonly url: URL; readonly fields: HostFields }[];
  /** The registry itself; without a url it is where its name says. */
  readonly server: { readonly url: URL | undefined; readonly fields: HostFields };
}

/** Reads a hosts.toml as containerd describes it. Fails `invalid` with the key and the file in the message. */
export function parseHostsFile(source: string, file: string): HostsFile {
  const toml = parseToml(source, file);
  // Before all else: what is wrong below an address is told with the address.
  for (const address of addressesIn(toml)) asUrl(address, { file, key: `host."${withoutLogin(address)}"` });
  const { server: url, host, ...own } = schema.parse(toml, { file, key: '' });
  const hosts = Object.entries(host).map(([address, fields]) => ({ url: asUrl(address, { file, key: `host."${address}"` }), fields }));
  return { hosts, server: { url, fields: own } };
}

function addressesIn(toml: unknown): readonly string[] {
  const host = typeof toml === 'object' && toml !== null && 'host' in toml ? toml.host : undefined;
  return typeof host === 'object' && host !== null && !Array.isArray(host) ? Object.keys(host) : [];
}

/** A password does not belong into an address, so nobody expects that errors show it. */
const withoutLogin = (address: string): string => address.replace(/^([a-z0-9]+:\/\/)?.*@/i, '$1…@');

/** What a directory without a hosts.toml says: its `.crt` files are authorities, its `.cert` and `.key` files what the node shows. */
export function certificateFiles(directory: string, names: readonly string[]): HostsFile {
  const below = (name: string): string => resolve(directory, name);
  const pairs = names.filter((name) => name.endsWith('.cert')).map((cert) => ({ cert: below(cert), key: below(cert.replace(/cert$/, 'key')) }));
  const own = oneHost.parse({}, { file: directory, key: '' });
  return { hosts: [], server: { url: undefined, fields: { ...own, ca: names.filter((name) => name.endsWith('.crt')).map(below), client: pairs } } };
}
