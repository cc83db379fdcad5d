import type { Duplex } from 'node:stream';
import { SpdyConnection, type SpdyOptions } from './connection.ts';

/** Answers an upgrade with 101 and the chosen protocol, and speaks SPDY from there on. `head` is what the client has already sent. */
export function acceptSpdy(socket: Duplex, head: Buffer, protocol: string, options: SpdyOptions): SpdyConnection {
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${protocol}\r\n\r\n`);
  if (head.length > 0) socket.unshift(head);
  return new SpdyConnection(socket, options);
}
