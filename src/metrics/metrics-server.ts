import { rm } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { Registry } from 'prom-client';
import { BerthError, messageOf } from '../lib/errors.ts';
import { parseHostPort, type HostPort } from '../lib/host-port.ts';
import { listen, stopListening } from '../lib/listen.ts';

export interface MetricsServerInit {
  /** `host:port` or an absolute path of a unix socket. */
  readonly listen: string;
  /** Whether the daemon takes calls; /healthz tells. */
  readonly healthy: () => boolean;
}

/** Serves /metrics and /healthz over HTTP. */
export class MetricsServer {
  readonly #server: Server;
  readonly #registry: Registry;
  readonly #init: MetricsServerInit;

  constructor(registry: Registry, init: MetricsServerInit) {
    this.#registry = registry;
    this.#init = init;
    this.#server = createServer((request, response) => {
      void this.#answer(request.url ?? '', response);
    });
  }

  async listen(): Promise<void> {
    const { listen: place } = this.#init;
    if (place.startsWith('/')) await rm(place, { force: true });
    try {
      await listen(this.#server, address(place));
    } catch (cause) {
      throw new BerthError('invalid', `cannot serve metrics on ${place}: ${messageOf(cause)}`, { hint: 'change [metrics] listen; "" turns it off', cause });
    }
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await stopListening(this.#server);
  }

  async #answer(url: string, response: ServerResponse): Promise<void> {
    const [path] = url.split('?');
    if (path === '/healthz') {
      const healthy = this.#init.healthy();
      response.writeHead(healthy ? 200 : 503, { 'content-type': 'text/plain' }).end(healthy ? 'ok\n' : 'not ready\n');
    } else if (path === '/metrics') {
      await this.#scrape(response);
    } else {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('see /metrics and /healthz\n');
    }
  }

  async #scrape(response: ServerResponse): Promise<void> {
    try {
      const text = await this.#registry.metrics();
      response.writeHead(200, { 'content-type': this.#registry.contentType }).end(text);
    } catch (error) {
      response.writeHead(500, { 'content-type': 'text/plain' }).end(`cannot collect: ${messageOf(error)}\n`);
    }
  }
}

function address(place: string): { readonly path: string } | HostPort {
  if (place.startsWith('/')) return { path: place };
  const found = parseHostPort(place);
  if (found === undefined) throw new BerthError('invalid', `[metrics] listen "${place}" is neither host:port nor an absolute path`);
  return found;
}
