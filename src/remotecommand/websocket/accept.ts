import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, WebSocketServer, type ServerOptions, type WebSocket } from 'ws';

/** The longest message that is taken: it is held in memory until it is whole. */
const maxMessageBytes = 4 << 20;
/** How long a client may take to answer a close, where nobody else sees to that. */
const defaultCloseTimeoutMs = 30_000;

/** An upgrade that a client asked for: the request, its connection, and bytes that came right after it. */
export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

/** The protocols that a client offers, the one it wants most first. */
export function offeredProtocols({ headers }: IncomingMessage): readonly string[] {
  return (headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim()).filter((name) => name !== '');
}

/**
 * Answers with 101 and the chosen protocol ('' when the client offered none), and resolves with what `open` makes of the
 * connection; or with undefined when the handshake itself was wrong, which the client has been told by then. `open` is
 * called at once, since messages and errors that nobody listens to yet are lost, or end the daemon.
 */
export async function acceptWebSocket<Opened>({ request, socket, head }: Upgrade, protocol: string, open: (webSocket: WebSocket) => Opened, closeTimeoutMs = defaultCloseTimeoutMs): Promise<Opened | undefined> {
  // The types do not know the last of them.
  const options: ServerOptions & { readonly closeTimeout: number } = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
    closeTimeout: closeTimeoutMs,
  };
  const server = new WebSocketServer(options);
  // The library takes no protocol with a slash in its name, as that of tunnelled SPDY has, so it is not asked.
  delete request.headers['sec-websocket-protocol'];
  if (protocol !== '') server.on('headers', (lines) => { lines.push(`Sec-WebSocket-Protocol: ${protocol}`); });
  return new Promise((resolve) => {
    socket.once('close', () => { resolve(undefined); });
    server.handleUpgrade(request, socket, head, (webSocket) => { resolve(open(webSocket)); });
  });
}

/** The bytes of a WebSocket's binary messages as one stream. */
export function asByteStream(webSocket: WebSocket): Duplex {
  return createWebSocketStream(webSocket, { allowHalfOpen: true });
}

export type { WebSocket } from 'ws';
