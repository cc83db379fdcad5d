import { rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { OpenCalls } from '../doors/open-calls.ts';
import type { Engine } from '../engine/port.ts';
import { BerthError } from '../lib/errors.ts';
import { stringField } from '../lib/json-fields.ts';
import { stopListening } from '../lib/listen.ts';
import { listenForRoot } from '../lib/unix-socket.ts';
import type { Logger } from '../telemetry/log.ts';
import { httpFailure } from './http-status.ts';
import { imageView, streamPull } from './pull.ts';
import { readBody } from './read-body.ts';
import { traceOf } from './trace.ts';

export interface OperatorParts {
  readonly engine: Engine;
  readonly log: Logger;
  /** Facts about the daemon itself, JSON-safe. */
  readonly info: () => object;
}

/** What a route's handler gets beside the request: where to answer, the call's signal, and what follows the route's name. */
interface Asked {
  readonly response: ServerResponse;
  readonly signal: AbortSignal;
  readonly rest: string;
}

type Handler = (request: IncomingMessage, asked: Asked) => Promise<void>;

const send = (response: ServerResponse, status: number, body: object): void => {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
};

/** Berth's own local API for `berth`, JSON over HTTP on a unix socket that only root may open. */
export class OperatorServer {
  readonly #parts: OperatorParts;
  readonly #path: string;
  readonly #server: Server;
  readonly #calls = new OpenCalls();
  readonly #routes: readonly (readonly [string, Handler])[];

  constructor(parts: OperatorParts, path: string) {
    this.#parts = parts;
    this.#path = path;
    this.#routes = [
      ['GET /v1/info', async (_request, { response }) => { send(response, 200, this.#parts.info()); }],
      ['GET /v1/pulls', async (_request, { response }) => { send(response, 200, { pulls: this.#parts.engine.images.pulls() }); }],
      ['GET /v1/trace/', async (_request, { response, rest: id }) => { send(response, 200, traceOf(this.#parts.engine, id)); }],
      ['POST /v1/import', async (request, { response }) => this.#import(request, response)],
      ['POST /v1/pull', async (request, asked) => { await streamPull(this.#parts.engine.images, stringField(await readBody(request), 'reference', 'the request'), asked); }],
    ];
    this.#server = createServer((request, response) => {
      void this.#answer(request, response);
    });
  }

  async listen(): Promise<void> {
    await listenForRoot(this.#server, this.#path);
  }

  async close(): Promise<void> {
    await rm(this.#path, { force: true });
    this.#calls.close();
    this.#server.closeAllConnections();
    await stopListening(this.#server);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const asked = `${request.method} ${request.url}`;
    try {
      const [route, handler] = this.#route(asked);
      const rest = decodeURIComponent(asked.slice(route.length));
      await this.#calls.run({ deadlineMs: Infinity, onLeft: (listener) => response.once('close', listener) }, async (signal) => handler(request, { response, signal, rest }));
    } catch (err) {
      this.#parts.log.info({ err, request: asked }, 'operator request failed');
      const { status, message } = httpFailure(err);
      send(response, status, { error: message });
    }
  }

  #route(asked: string): readonly [string, Handler] {
    const route = this.#routes.find(([name]) => (name.endsWith('/') ? asked.startsWith(name) : asked === name));
    if (route === undefined) throw new BerthError('not-found', `no such request: ${asked}`, { hint: this.#routes.map(([name]) => name).join(', ') });
    return route;
  }

  async #import(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request);
    const path = stringField(body, 'path', 'the request');
    if (!path.startsWith('/')) throw new BerthError('invalid', `path must be absolute, not "${path}"`);
    const reference = stringField(body, 'reference', 'the request');
    const images = await this.#parts.engine.images.importArchive(path, reference === '' ? {} : { reference });
    send(response, 200, { images: images.map(imageView) });
  }
}
