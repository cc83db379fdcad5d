import type { HttpResponse } from './http-transport.ts';

/** As many as the field's clients follow. */
const maxRedirects = 10;

export interface Arrival {
  readonly response: HttpResponse;
  /** Who answered in the end. */
  readonly url: URL;
}

/** Sends again wherever a server points to. `status` is that of the redirect; undefined for the first request. */
export async function followRedirects(first: URL, send: (url: URL, status: number | undefined) => Promise<HttpResponse>): Promise<Arrival> {
  let url = first;
  let status: number | undefined;
  for (let hops = 0; ; hops += 1) {
    const response = await send(url, status);
    const location = locationOf(response);
    if (location === undefined) return { response, url };
    await response.discard();
    if (hops === maxRedirects) throw new Error('too many redirects');
    url = nextUrl(url, location);
    status = response.status;
  }
}

/** Whether what is meant for the first may be shown to the second: they are one server, or it has moved from http to https. */
export function isSameServer(one: URL, other: URL): boolean {
  const isUpgrade = one.protocol === 'http:' && other.protocol === 'https:' && one.port === '' && other.port === '';
  return one.origin === other.origin || (isUpgrade && one.hostname === other.hostname);
}

function locationOf(response: HttpResponse): string | undefined {
  return [301, 302, 303, 307, 308].includes(response.status) ? response.headers('location')[0] : undefined;
}

function nextUrl(from: URL, location: string): URL {
  const to = new URL(location, from);
  const isSafe = to.protocol === 'https:' || (to.protocol === 'http:' && from.protocol === 'http:');
  if (!isSafe) throw new Error(`it redirects to an insecure address on ${to.host}`);
  return to;
}
