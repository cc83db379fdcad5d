import { rename, chmod, chown, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { BerthError } from '../lib/errors.ts';
import { CriContract, imageService, runtimeService } from './contract.ts';
import type { Door } from './handler.ts';
import type { PipelineParts } from './pipeline.ts';
import { imageRoutes } from './image-routes.ts';
import { runtimeRoutes } from './runtime-routes.ts';
import { buildService } from './service.ts';

/** What clients are built for; theirs is the same. */
const maxMessageBytes = 16 << 20;

export interface SocketOptions {
  readonly path: string;
  readonly mode: number;
  /** Group id of the socket; -1: as the process has it. */
  readonly gid: number;
}

/** The CRI door: both services on one unix socket. */
export class CriServer {
  readonly #server = new Server({ 'grpc.max_receive_message_length': maxMessageBytes, 'grpc.max_send_message_length': maxMessageBytes });
  readonly #closing = new AbortController();
  readonly #socket: SocketOptions;

  constructor(door: Door, parts: PipelineParts, socket: SocketOptions) {
    this.#socket = socket;
    const contract = new CriContract();
    const runtime = buildService(contract, runtimeService, runtimeRoutes(door, contract, this.#closing.signal), parts);
    const images = buildService(contract, imageService, imageRoutes(door, contract), parts);
    this.#server.addService(runtime.definition, runtime.implementation);
    this.#server.addService(images.definition, images.implementation);
  }

  /** Takes calls on the socket. It appears under its name only with its final mode, and replaces a stale one. */
  async listen(): Promise<void> {
    const { path, mode, gid } = this.#socket;
    const early = join(dirname(path), '.cri');
    await rm(early, { force: true });
    await this.#bind(early);
    await chmod(early, mode);
    if (gid >= 0) await chown(early, 0, gid);
    await rename(early, path);
  }

  /** Ends event streams, lets other calls finish for so long, then cuts them off. */
  async close(drainMs: number): Promise<void> {
    this.#closing.abort();
    await rm(this.#socket.path, { force: true });
    const timer = setTimeout(() => {
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
      this.#server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (cause) => {
        if (cause === null) resolve();
        else reject(new BerthError('internal', `cannot listen on ${path}: ${cause.message}`, { cause }));
      });
    });
  }
}
