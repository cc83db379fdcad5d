import { BlockList, isIP } from 'node:net';

type Environment = Readonly<Record<string, string | undefined>>;

const defaultPorts: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' };

/**
 * The HTTP proxy for a URL, from HTTP_PROXY, HTTPS_PROXY and NO_PROXY in capital or small letters; empty: none. What is on
 * this machine is never reached through a proxy.
 */
export function proxyFor(url: URL, environment: Environment): string {
  const read = (name: string): string => environment[name] ?? environment[name.toLowerCase()] ?? '';
  const proxy = read(url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY');
  if (proxy === '' || isLocal(url.hostname)) return '';
  const direct = read('NO_PROXY').split(',').map((entry) => entry.trim()).filter(Boolean);
  if (direct.some((entry) => covers(entry.toLowerCase(), url))) return '';
  return proxy.includes('://') ? proxy : `http://${proxy}`;
}

const bare = (hostname: string): string => hostname.replace(/^\[(.*)\]$/, '$1');

function isLocal(hostname: string): boolean {
  return hostname === 'localhost' || inRange('127.0.0.0/8', bare(hostname)) || bare(hostname) === '::1';
}

/** An entry is `*`, an address, a range, or a domain that covers what is below it; the latter and an address may have a port. */
function covers(entry: string, { hostname, port, protocol }: URL): boolean {
  if (entry === '*' || inRange(entry, bare(hostname))) return true;
  const [, name = entry, wanted] = isIP(entry) === 0 ? (/^(.+):(\d+)$/.exec(entry) ?? []) : [];
  if (wanted !== undefined && wanted !== (port === '' ? defaultPorts[protocol] : port)) return false;
  const domain = bare(name).replace(/^\*?\./, '');
  return bare(hostname) === domain || hostname.endsWith(`.${domain}`);
}

function inRange(range: string, address: string): boolean {
  const [network = '', bits] = range.split('/');
  const family = isIP(network);
  if (bits === undefined || family === 0 || isIP(address) !== family || !/^\d{1,3}$/.test(bits) || Number(bits) > (family === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  const type = family === 4 ? 'ipv4' : 'ipv6';
  list.addSubnet(network, Number(bits), type);
  return list.check(address, type);
}
