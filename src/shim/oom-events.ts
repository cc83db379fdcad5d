import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { listen } from '../lib/listen.ts';
import { serveTtrpc, TtrpcRoutes } from '../lib/ttrpc/server.ts';
import type { ForwardMessage, ShimMethods } from './methods.ts';

interface Watch {
  killed: boolean;
  readonly told: PromiseWithResolvers<void>;
}

/**
 * Where foreign shims send their events, the way they do to containerd. Only one kind matters here: that a container ran
 * out of memory, which they tell in no other way.
 */
export class OomEvents {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #path: string;
  readonly #methods: Pick<ShimMethods, 'forward' | 'taskOom'>;
  readonly #watched = new Map<string, Watch>();

  constructor(path: string, methods: Pick<ShimMethods, 'forward' | 'taskOom'>) {
    this.#path = path;
    this.#methods = methods;
    const routes = new TtrpcRoutes().handle(methods.forward, async (request) => {
      this.#take(request);
      return {};
    });
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      serveTtrpc(socket, routes);
    });
  }

  async listen(): Promise<void> {
    // What a daemon that was killed left behind.
    rmSync(this.#path, { force: true });
    await listen(this.#server, { path: this.#path });
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }

  /** Remembers events of this container from now on. */
  watch(id: string): void {
    if (!this.#watched.has(id)) this.#watched.set(id, { killed: false, told: Promise.withResolvers() });
  }

  unwatch(id: string): void {
    this.#watched.delete(id);
  }

  /** Whether the container ran out of memory. Waits a little, because the event and the exit race each other. */
  async within(id: string, graceMs: number): Promise<boolean> {
    const watch = this.#watched.get(id);
    if (watch === undefined) return false;
    const grace = Promise.withResolvers<void>();
    const timer = setTimeout(grace.resolve, graceMs);
    await Promise.race([watch.told.promise, grace.promise]);
    clearTimeout(timer);
    return watch.killed;
  }

  #take({ envelope }: ForwardMessage): void {
    if (envelope?.topic !== '/tasks/oom' || envelope.event === null) return;
    const watch = this.#watched.get(this.#methods.taskOom.decode(envelope.event.value).containerId);
    if (watch === undefined) return;
    watch.killed = true;
    watch.told.resolve();
  }
}
