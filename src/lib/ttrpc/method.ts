import type { Codec, ProtoFiles } from '../proto.ts';

/** One unary method of a service and how its messages are coded. */
export interface Method<Request, Response> {
  readonly service: string;
  readonly name: string;
  readonly request: Codec<Request>;
  readonly response: Codec<Response>;
}

/** Looks a method up in the contract. The two types are the caller's word; the names are checked here, at start. */
export function method<Request extends object, Response extends object>(files: ProtoFiles, service: string, name: string): Method<Request, Response> {
  const types = files.method(service, name);
  return { service, name, request: files.codec<Request>(types.request), response: files.codec<Response>(types.response) };
}
