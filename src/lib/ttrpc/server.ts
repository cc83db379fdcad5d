import type { Duplex } from 'node:stream';
import { BerthError } from '../errors.ts';
import { decodeRequest, responseFrame, type RequestEnvelope, type ResponseEnvelope } from './envelope.ts';
import { FrameReader, frameType, type Frame } from './frame.ts';
import type { Method } from './method.ts';
import { statusOfError } from './status.ts';

type Handler = (payload: Uint8Array) => Promise<Uint8Array>;

/** The methods that a connection may call. */
export class TtrpcRoutes {
  readonly #handlers = new Map<string, Handler>();

  handle<Request, Response>(method: Method<Request, Response>, handler: (request: Request) => Promise<Response>): this {
    this.#handlers.set(`${method.service}/${method.name}`, async (payload) => method.response.encode(await handler(method.request.decode(payload))));
    return this;
  }

  /** Never rejects: a failure is a status. */
  async answer(request: RequestEnvelope): Promise<ResponseEnvelope> {
    try {
      const handler = this.#handlers.get(`${request.service}/${request.method}`);
      if (handler === undefined) throw new BerthError('unimplemented', `no method ${request.method} in service ${request.service}`);
      return { status: { code: 0, message: '' }, payload: await handler(request.payload) };
    } catch (error) {
      return { status: statusOfError(error), payload: new Uint8Array(0) };
    }
  }
}

/** Answers the calls of one connection until that ends. Anything but a unary request ends it. */
export function serveTtrpc(socket: Duplex, routes: TtrpcRoutes): void {
  const reader = new FrameReader((frame) => {
    void answerFrame(socket, routes, frame);
  });
  socket.on('data', (chunk: Buffer) => {
    try {
      reader.push(chunk);
    } catch (error) {
      socket.destroy(error instanceof Error ? error : undefined);
    }
  });
  // The peer went away or broke the protocol; there is nobody left to tell.
  socket.on('error', () => {
    socket.destroy();
  });
}

async function answerFrame(socket: Duplex, routes: TtrpcRoutes, frame: Frame): Promise<void> {
  const request = frame.type === frameType.request ? tryDecode(frame.payload) : undefined;
  if (request === undefined) {
    socket.destroy();
    return;
  }
  const response = await routes.answer(request);
  if (!socket.destroyed) socket.write(tooLargeBecomesError(frame.streamId, response));
}

function tryDecode(payload: Uint8Array): RequestEnvelope | undefined {
  try {
    return decodeRequest(payload);
  } catch {
    return undefined;
  }
}

function tooLargeBecomesError(streamId: number, response: ResponseEnvelope): Buffer {
  try {
    return responseFrame(streamId, response);
  } catch (error) {
    return responseFrame(streamId, { status: statusOfError(error), payload: new Uint8Array(0) });
  }
}
