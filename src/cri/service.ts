import { once, type EventEmitter } from 'node:events';
import type { handleServerStreamingCall, handleUnaryCall, Metadata, MethodDefinition, Server, ServerUnaryCall, ServerWritableStream, UntypedServiceImplementation } from '@grpc/grpc-js';
import type { Client, OpenCalls } from '../doors/open-calls.ts';
import { throughPipeline, type Call, type Pipeline } from '../doors/pipeline.ts';
import { abortable } from '../lib/keyed-mutex.ts';
import { annotate } from '../telemetry/trace.ts';
import type { ContractMethod } from './contract.ts';
import type { CallFailure } from './grpc-status.ts';
import type { Caller, Door, Routes } from './handler.ts';
import { tables } from './rpc/routes.ts';
import { spanAttributes } from './span-attributes.ts';

export interface Serving {
  readonly door: Door;
  readonly pipeline: Pipeline;
  /** Where the calls of a method are kept. */
  readonly callsOf: (method: string) => OpenCalls;
}

/** A handler with what it works with; what is between it and the client is left. */
interface Row {
  readonly service: string;
  readonly method: ContractMethod;
  readonly pipeline: Pipeline;
  readonly calls: OpenCalls;
  readonly handle: (request: object, caller: Caller) => object;
}

type Incoming = ServerUnaryCall<object, object> | ServerWritableStream<object, object>;

function definition(service: string, { name, request, response, responseStream }: ContractMethod): MethodDefinition<object, object> {
  return {
    path: `/${service}/${name}`,
    requestStream: false,
    responseStream,
    requestSerialize: (value) => Buffer.from(request.encode(value)),
    requestDeserialize: (bytes) => request.decode(bytes),
    // A view, not a copy: the encoder's buffer is fresh for each message.
    responseSerialize: (value) => asBuffer(response.encode(value)),
    responseDeserialize: (bytes) => response.decode(bytes),
  };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function headersOf(metadata: Metadata): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(metadata.getMap()).map(([name, value]) => [name, String(value)]));
}

/** The attributes have the names of OpenTelemetry's conventions for RPC. */
function describe({ service, method: { name: method } }: Row, { request, metadata }: Incoming): Call {
  const attributes = { 'rpc.system': 'grpc', 'rpc.service': service, 'rpc.method': method, ...spanAttributes(request) };
  return { method, span: { name: `${service}/${method}`, attributes, headers: headersOf(metadata) } };
}

function clientOf(incoming: Incoming): Client {
  // Both kinds of call are emitters, but TypeScript does not see that of their union.
  const emitter: EventEmitter = incoming;
  return { deadlineMs: Number(incoming.getDeadline()), onLeft: (listener) => emitter.on('cancelled', listener) };
}

/** Takes a call through all that surrounds it. */
async function take<Result>(row: Row, incoming: Incoming, work: (caller: Caller) => Promise<Result>): Promise<Result> {
  const client = clientOf(incoming);
  return row.calls.run(client, async (signal) => throughPipeline(row.pipeline, describe(row, incoming), async () => work({ signal, deadlineMs: client.deadlineMs })));
}

function unary(row: Row): handleUnaryCall<object, object> {
  return (incoming, reply) => {
    take(row, incoming, async (caller) => {
      const response = await row.handle(incoming.request, caller);
      annotate(spanAttributes(response));
      return response;
    }).then(
      (response) => {
        reply(null, response);
      },
      (failure: CallFailure) => {
        reply(failure.status);
      },
    );
  };
}

function streaming(row: Row): handleServerStreamingCall<object, object> {
  return (outgoing) => {
    take(row, outgoing, async (caller) => {
      for await (const message of row.handle(outgoing.request, caller) as AsyncIterable<object>) {
        if (!outgoing.write(message)) await abortable(once(outgoing, 'drain'), caller.signal);
      }
    }).then(
      () => {
        outgoing.end();
      },
      (failure: CallFailure) => {
        outgoing.emit('error', failure.status);
      },
    );
  };
}

/** Has a grpc-js server serve all methods of a service: each by the handler of its name, through the pipeline. */
export function addService(server: Server, service: string, { door, pipeline, callsOf }: Serving): void {
  const routes: Routes = Object.assign({}, ...tables);
  const methods: Record<string, MethodDefinition<object, object>> = {};
  const handlers: UntypedServiceImplementation = {};
  for (const method of door.contract.methods(service)) {
    const handler = routes[method.name];
    if (handler === undefined) throw new Error(`nothing handles ${method.name}`);
    // The request was decoded by the codec of this very method: the one place where its type is asserted.
    const row: Row = { service, method, pipeline, calls: callsOf(method.name), handle: (request, caller) => handler(door, request as never, caller) };
    methods[method.name] = definition(service, method);
    handlers[method.name] = method.responseStream ? streaming(row) : unary(row);
  }
  server.addService(methods, handlers);
}
