import { createServer, type Server, type Socket } from 'node:net';
import { BerthError } from '../../lib/errors.ts';
import type { Method } from '../../lib/ttrpc/method.ts';
import { serveTtrpc, TtrpcRoutes } from '../../lib/ttrpc/server.ts';
import type { ShimMethods } from '../methods.ts';

/** By the names of ShimMethods. */
export type Handlers = Readonly<Record<string, (request: never) => Promise<object>>>;

/**
 * A shim whose behaviour a test decides, for what a real one cannot be made to do: to freeze, to lose a connection, to
 * fail at a chosen call. Everything not given answers with an empty message.
 */
export class FakeShim {
  readonly address: string;
  /** Calls in order, as `name` of the method and the request. */
  readonly calls: { readonly name: string; readonly request: object }[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(path: string, methods: ShimMethods, handlers: Handlers) {
    this.address = `unix://${path}`;
    const routes = new TtrpcRoutes();
    for (const [name, method] of [methods.task[3], methods.container, methods.streams].flatMap((service) => Object.entries(service))) {
      routes.handle(method as Method<object, object>, async (request) => {
        this.calls.push({ name, request });
        return (await handlers[name]?.(request as never)) ?? {};
      });
    }
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      serveTtrpc(socket, routes);
    });
  }

  static async listen(path: string, methods: ShimMethods, handlers: Handlers): Promise<FakeShim> {
    const shim = new FakeShim(path, methods, handlers);
    await new Promise<void>((resolve) => {
      shim.#server.listen(path, resolve);
    });
    return shim;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  names(): readonly string[] {
    return this.calls.map(({ name }) => name);
  }

  /** Breaks the connections but goes on listening. */
  hangUp(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Ends like a shim that is killed: its socket file stays. */
  async die(): Promise<void> {
    this.hangUp();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }
}

/** For a handler that never answers. */
export const frozen = (): Promise<object> => new Promise(() => undefined);

/** For a handler that fails. */
export const failing =
  (kind: 'not-found' | 'internal' | 'precondition', message: string) =>
  (): Promise<object> =>
    Promise.reject(new BerthError(kind, message));
