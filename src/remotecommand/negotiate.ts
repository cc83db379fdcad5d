import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

/** How an upgrade is refused. */
export interface Refusal {
  readonly code: 400 | 403 | 404 | 503;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const reasons: Readonly<Record<Refusal['code'], string>> = { 400: 'Bad Request', 403: 'Forbidden', 404: 'Not Found', 503: 'Service Unavailable' };

/** Answers an upgrade with an error and hangs up. */
export function refuse(socket: Duplex, { code, message, headers = {} }: Refusal): void {
  const body = `${message}\n`;
  const all = { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': String(Buffer.byteLength(body)), Connection: 'close', ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.on('error', () => undefined);
  socket.end(`HTTP/1.1 ${code} ${reasons[code]}\r\n${lines.join('')}\r\n${body}`, () => socket.destroy());
}

/** The first of what a client offers that is known here; what a client that offers nothing gets; or why there is none. */
export function choose(offered: readonly string[], known: Iterable<string>): string | Refusal {
  const names = [...known];
  const found = (offered.length === 0 ? [''] : offered).find((name) => names.includes(name));
  if (found !== undefined) return found;
  return {
    code: 403,
    message: `unable to upgrade: none of the protocols ${JSON.stringify(offered)} is spoken here`,
    headers: { 'X-Accepted-Stream-Protocol-Versions': names.filter((name) => name !== '').join(', ') },
  };
}

/** The protocols that a SPDY client offers. */
export function offeredStreamProtocols({ headers }: IncomingMessage): readonly string[] {
  return String(headers['x-stream-protocol-version'] ?? '').split(',').map((name) => name.trim()).filter((name) => name !== '');
}
