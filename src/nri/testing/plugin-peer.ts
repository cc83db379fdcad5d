import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { TtrpcClient } from '../../lib/ttrpc/client.ts';
import { serveTtrpc, TtrpcRoutes } from '../../lib/ttrpc/server.ts';
import type { UpdateMessage } from '../messages.ts';
import { nriMethods, type NriMethods } from '../methods.ts';
import { Mux } from '../mux.ts';

const methods = nriMethods();

type Handle = (routes: TtrpcRoutes, plugin: NriMethods['plugin']) => TtrpcRoutes;

/** The other end of the NRI socket: a plugin in this process that answers just what a test gives it. */
export class PluginPeer {
  readonly #socket: Socket;
  readonly #runtime: TtrpcClient;

  private constructor(socket: Socket, handle: Handle) {
    this.#socket = socket;
    const mux = new Mux(socket, [1, 2]);
    serveTtrpc(mux.connection(1), handle(new TtrpcRoutes(), methods.plugin));
    this.#runtime = new TtrpcClient(mux.connection(2), 'the runtime');
  }

  static async connect(path: string, handle: Handle): Promise<PluginPeer> {
    const socket = connect(path);
    await once(socket, 'connect');
    return new PluginPeer(socket, handle);
  }

  async register(pluginName: string, pluginIdx: string): Promise<void> {
    await this.#runtime.call(methods.runtime.registerPlugin, { pluginName, pluginIdx, NRIVersion: '' }, { timeoutMs: 1000 });
  }

  /** Asks for changes by itself; resolves to those that failed. */
  async updateContainers(update: readonly UpdateMessage[]): Promise<readonly UpdateMessage[]> {
    const { failed } = await this.#runtime.call(methods.runtime.updateContainers, { update, evict: [] }, { timeoutMs: 1000 });
    return failed;
  }

  close(): void {
    this.#socket.destroy();
  }
}
