import { once } from 'node:events';
import type { Metadata, MethodDefinition, sendUnaryData, ServerUnaryCall, ServerWritableStream, ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js';
import { callSignal, type IncomingCall } from './call-signal.ts';
import type { CriContract } from './contract.ts';
import type { Routes, Streaming, Unary } from './handler.ts';
import { CallFailure, throughPipeline, type Call, type PipelineParts } from './pipeline.ts';

function definition(contract: CriContract, service: string, routes: Routes): ServiceDefinition {
  const define = (name: string, responseStream: boolean): [string, MethodDefinition<object, object>] => {
    const { request, response } = contract.method(service, name);
    const method: MethodDefinition<object, object> = {
      path: `/${service}/${name}`,
      requestStream: false,
      responseStream,
      requestSerialize: (value) => Buffer.from(request.encode(value)),
      requestDeserialize: (bytes) => request.decode(bytes),
      // A view, not a copy: the encoder's buffer is fresh for each message.
      responseSerialize: (value) => asBuffer(response.encode(value)),
      responseDeserialize: (bytes) => response.decode(bytes),
    };
    return [name, method];
  };
  return Object.fromEntries([...Object.keys(routes.unary).map((name) => define(name, false)), ...Object.keys(routes.streaming).map((name) => define(name, true))]);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function headersOf(metadata: Metadata): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(metadata.getMap()).map(([name, value]) => [name, String(value)]));
}

interface Named {
  readonly service: string;
  readonly method: string;
}

const describe = (named: Named, call: IncomingCall & { readonly request: object }): Call => ({ ...named, request: call.request, signal: callSignal(call), headers: headersOf(call.metadata) });

function serveUnary(parts: PipelineParts, named: Named, handler: Unary<never, object>) {
  return (incoming: ServerUnaryCall<object, object>, reply: sendUnaryData<object>): void => {
    const call = describe(named, incoming);
    // The request was decoded by the codec of this very method: the one place where its type is asserted.
    const work = async (): Promise<object> => handler(incoming.request as never, call.signal, Number(incoming.getDeadline()));
    throughPipeline(parts, call, work).then(
      (response) => {
        reply(null, response);
      },
      (failure: CallFailure) => {
        reply(failure.status);
      },
    );
  };
}

function serveStreaming(parts: PipelineParts, named: Named, handler: Streaming<never, object>) {
  return (outgoing: ServerWritableStream<object, object>): void => {
    const call = describe(named, outgoing);
    const work = async (): Promise<void> => {
      for await (const message of handler(outgoing.request as never, call.signal)) {
        if (!outgoing.write(message)) await once(outgoing, 'drain', { signal: call.signal });
      }
    };
    throughPipeline(parts, call, work).then(
      () => {
        outgoing.end();
      },
      (failure: CallFailure) => {
        outgoing.emit('error', failure.status);
      },
    );
  };
}

/** Makes a grpc-js service of routes: every call goes through the pipeline. */
export function buildService(
  contract: CriContract,
  service: string,
  routes: Routes,
  parts: PipelineParts,
): { readonly definition: ServiceDefinition; readonly implementation: UntypedServiceImplementation } {
  const unary = Object.entries(routes.unary).map(([name, handler]) => [name, serveUnary(parts, { service, method: name }, handler)] as const);
  const streaming = Object.entries(routes.streaming).map(([name, handler]) => [name, serveStreaming(parts, { service, method: name }, handler)] as const);
  return { definition: definition(contract, service, routes), implementation: Object.fromEntries<UntypedServiceImplementation[string]>([...unary, ...streaming]) };
}
