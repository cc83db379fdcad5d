import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createTlsServer, Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { readStreamingTls, type StreamingTls } from '../config/streaming-tls.ts';
import type { Clock } from '../lib/clock.ts';
import { BerthError, messageOf } from '../lib/errors.ts';
import { listen, stopListening } from '../lib/listen.ts';
import type { Logger } from '../telemetry/log.ts';
import { exitStatus, success } from './command/status.ts';
import { planCommand } from './command/plan.ts';
import { planForward } from './forward/plan.ts';
import { refuse } from './negotiate.ts';
import { parseAddress, urlHost } from './address.ts';
import type { Arrival, Plan, ServeContext } from './plan.ts';
import type { AttachTicket, ExecTicket, ForwardTicket, StreamingUrls } from './port.ts';
import type { StreamEngine } from './sessions.ts';
import { Tickets } from './tickets.ts';

export interface StreamingConfig extends StreamingTls {
  /** `host:port`; port 0 lets the kernel choose. */
  readonly address: string;
  readonly idleTimeoutMs: number;
  readonly creationTimeoutMs: number;
}

export interface StreamingParts {
  readonly engine: StreamEngine;
  readonly clock: Clock;
  readonly log: Logger;
}

type Ticket =
  | { readonly kind: 'exec'; readonly ticket: ExecTicket }
  | { readonly kind: 'attach'; readonly ticket: AttachTicket }
  | { readonly kind: 'portforward'; readonly ticket: ForwardTicket };

/** Time to send what a client is told when berthd stops. */
const farewellMs = 500;

function transportOf({ headers }: IncomingMessage): Arrival['transport'] | undefined {
  const upgrade = (headers.upgrade ?? '').toLowerCase();
  if (upgrade === 'websocket') return 'websocket';
  return upgrade.includes('spdy/3.1') ? 'spdy' : undefined;
}

/** The HTTP door at which clients get the streams of exec, attach and port-forward, each with a URL that was made for it. */
export class StreamingServer implements StreamingUrls {
  readonly #parts: StreamingParts;
  readonly #config: StreamingConfig;
  readonly #server: Server;
  readonly #tickets: Tickets<Ticket>;
  readonly #interrupt = new AbortController();
  readonly #served = new Map<Duplex, Promise<void>>();
  /** All connections, also those that have not said anything yet. */
  readonly #sockets = new Set<Socket>();
  #base = '';
  #closing = false;

  /** Fails `invalid` when the certificate cannot be used. */
  constructor(parts: StreamingParts, config: StreamingConfig) {
    this.#parts = parts;
    this.#config = config;
    this.#tickets = new Tickets(parts.clock);
    const tls = readStreamingTls(config);
    this.#server = tls === undefined ? createServer() : createTlsServer({ ...tls, requestCert: config.clientCa !== '' });
    this.#server.on('request', (_request, response) => {
      response.writeHead(400, { 'content-type': 'text/plain', connection: 'close' }).end('streams need an upgrade to SPDY/3.1 or websocket\n');
    });
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => { this.#upgrade(request, socket, head); });
  }

  /** Reads the certificates' files again, for connections to come. Fails `invalid` and goes on with the old ones when the new ones cannot be used. */
  reload(): void {
    const tls = readStreamingTls(this.#config);
    if (tls !== undefined && this.#server instanceof TlsServer) this.#server.setSecureContext(tls);
  }

  async listen(): Promise<void> {
    const { address, tlsCert } = this.#config;
    const place = parseAddress(address);
    try {
      await listen(this.#server, place);
    } catch (cause) {
      throw new BerthError('invalid', `cannot listen on ${address}: ${messageOf(cause)}`, { hint: 'change [streaming] address', cause });
    }
    // One client could not be taken, for want of descriptors or memory; the next may be.
    this.#server.on('error', (err) => { this.#parts.log.warn({ err }, 'a streaming client could not connect'); });
    // Listening on TCP, so it has such an address.
    this.#base = `${tlsCert === '' ? 'http' : 'https'}://${urlHost(this.#server.address() as AddressInfo)}`;
  }

  exec(ticket: ExecTicket): string {
    return this.#url({ kind: 'exec', ticket });
  }

  attach(ticket: AttachTicket): string {
    return this.#url({ kind: 'attach', ticket });
  }

  portForward(ticket: ForwardTicket): string {
    return this.#url({ kind: 'portforward', ticket });
  }

  /** Takes no more clients, gives those that are there so long to finish, and tells the others that it is over. */
  async close(drainMs: number): Promise<void> {
    this.#closing = true;
    const closed = stopListening(this.#server);
    await this.#settle(drainMs);
    this.#interrupt.abort(new BerthError('unavailable', 'berthd is shutting down', { hint: 'connect again when it is back' }));
    await this.#settle(farewellMs);
    const rest = [...this.#served];
    for (const [socket] of rest) socket.destroy();
    await Promise.all(rest.map(([, served]) => served));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Waits until nobody is served, or for so long. */
  async #settle(ms: number): Promise<void> {
    const late = new AbortController();
    await Promise.race([Promise.all(this.#served.values()), sleep(ms, undefined, { signal: late.signal }).catch(() => undefined)]);
    late.abort();
  }

  #url(ticket: Ticket): string {
    return `${this.#base}/${ticket.kind}/${this.#tickets.add(ticket)}`;
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const [, kind = '', token = ''] = (request.url ?? '').split('?')[0]?.split('/') ?? [];
    const ticket = this.#tickets.peek(token);
    const transport = transportOf(request);
    if (this.#closing) refuse(socket, { code: 503, message: 'berthd is shutting down' });
    else if (ticket?.kind !== kind) refuse(socket, { code: 404, message: 'there is no such URL; each works once and within a minute' });
    else if (transport === undefined) refuse(socket, { code: 400, message: 'only SPDY/3.1 and websocket are spoken here' });
    else this.#begin(token, ticket, { request, socket, head, transport });
  }

  #begin(token: string, ticket: Ticket, arrival: Arrival): void {
    const plan = this.#plan(ticket, arrival);
    if (typeof plan !== 'function') {
      refuse(arrival.socket, plan);
      return;
    }
    // Only now: a client whose protocol is refused may try another with the same URL.
    this.#tickets.spend(token);
    const served = plan()
      .catch((err: unknown) => { this.#parts.log.info({ err, kind: ticket.kind }, 'a streaming client was not served'); })
      .finally(() => { this.#served.delete(arrival.socket); });
    this.#served.set(arrival.socket, served);
  }

  #plan(ticket: Ticket, arrival: Arrival): Plan {
    const { containers, pods } = this.#parts.engine;
    const context = this.#context(ticket);
    if (ticket.kind === 'portforward') {
      const { podId, ports } = ticket.ticket;
      return planForward(arrival, ports, (port, signal) => pods.forward(podId, port, signal), context);
    }
    if (ticket.kind === 'attach') {
      const { containerId, streams } = ticket.ticket;
      // Whoever watches a container is told by its status how it ended; only that the watching is over is said here.
      return planCommand(arrival, streams, { open: (signal) => containers.attach(containerId, streams, signal), ended: () => success }, context);
    }
    const request = ticket.ticket;
    return planCommand(arrival, request.streams, { open: (signal) => containers.exec(request, signal), ended: exitStatus }, context);
  }

  #context({ kind, ticket }: Ticket): ServeContext {
    const { idleTimeoutMs, creationTimeoutMs } = this.#config;
    const on = 'podId' in ticket ? { pod: ticket.podId } : { container: ticket.containerId };
    return { log: this.#parts.log.child({ kind, ...on }), idleTimeoutMs, creationTimeoutMs, interrupt: this.#interrupt.signal };
  }
}
