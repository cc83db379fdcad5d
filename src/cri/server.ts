import { rm } from 'node:fs/promises';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { OpenCalls } from '../doors/open-calls.ts';
import type { PipelineParts } from '../doors/pipeline.ts';
import { placeSocket, type SocketPlace } from '../lib/unix-socket.ts';
import { CriContract, imageService, runtimeService } from './contract.ts';
import { podEvents } from './events/pod-events.ts';
import { grpcProtocol } from './grpc-status.ts';
import type { DoorParts } from './handler.ts';
import { endless } from './rpc/routes.ts';
import { addService } from './service.ts';

/** What clients are built for; theirs is the same. */
const maxMessageBytes = 16 << 20;

/** The CRI door: both services on one unix socket. */
export class CriServer {
  readonly #server = new Server({ 'grpc.max_receive_message_length': maxMessageBytes, 'grpc.max_send_message_length': maxMessageBytes });
  readonly #calls = new OpenCalls();
  readonly #endless = new OpenCalls();
  readonly #socket: SocketPlace;

  constructor(parts: DoorParts, pipeline: PipelineParts, socket: SocketPlace) {
    this.#socket = socket;
    const door = { ...parts, contract: new CriContract(), events: podEvents(parts.engine) };
    const callsOf = (method: string): OpenCalls => (endless.has(method) ? this.#endless : this.#calls);
    const serving = { door, pipeline: { ...pipeline, protocol: grpcProtocol }, callsOf };
    for (const service of [runtimeService, imageService]) addService(this.#server, service, serving);
  }

  /** Takes calls on the socket. */
  async listen(): Promise<void> {
    await placeSocket(this.#socket, async (path) => this.#bind(path));
  }

  /** Ends event streams, lets other calls finish for so long, then cuts them off. */
  async close(drainMs: number): Promise<void> {
    this.#endless.close();
    await rm(this.#socket.path, { force: true });
    const timer = setTimeout(() => {
      this.#calls.close();
      this.#server.forceShutdown();
    }, drainMs);
    await new Promise<void>((resolve) => {
      this.#server.tryShutdown(() => {
        resolve();
      });
    });
    clearTimeout(timer);
  }

  async #bind(path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
  }
}
