import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';

/** A forward proxy that keeps what it is asked for. It may know another address for a host, and connects to it for tunnels, too. */
export class TunnelProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #tunnels = new Set<Duplex>();
  readonly asked: string[] = [];

  private constructor(known: Readonly<Record<string, string>>) {
    this.#server = createServer((incoming, response) => {
      const url = new URL(incoming.url ?? '');
      this.asked.push(`${incoming.method} ${url.host}`);
      url.host = known[url.host] ?? url.host;
      fetch(url, { headers: { accept: incoming.headers.accept ?? '' }, redirect: 'manual' })
        .then(async (reply) => response.writeHead(reply.status, Object.fromEntries(reply.headers)).end(Buffer.from(await reply.arrayBuffer())))
        .catch(() => response.destroy());
    });
    this.#server.on('connect', ({ url = '' }, socket) => {
      this.asked.push(`CONNECT ${url}`);
      const [host, port] = (known[url] ?? url).split(':');
      const upstream = connect(Number(port), host, () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        upstream.pipe(socket).pipe(upstream);
      });
      for (const end of [upstream, socket]) {
        end.on('error', () => end.destroy());
        this.#tunnels.add(end);
      }
    });
  }

  static async start(known: Readonly<Record<string, string>> = {}): Promise<TunnelProxy> {
    const proxy = new TunnelProxy(known);
    await new Promise<void>((resolve) => {
      proxy.#server.listen(0, '127.0.0.1', resolve);
    });
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    for (const tunnel of this.#tunnels) tunnel.destroy();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }
}
