import { join } from 'node:path';
import protobuf from 'protobufjs';

/**
 * Turns one message type into bytes and back. Field names are camelCase. After `decode` every scalar is there, with its
 * default when the sender left it out, 64-bit integers are bigint and an absent message is null.
 */
export interface Codec<Value> {
  readonly typeName: string;
  encode(value: Value): Uint8Array;
  /** @throws RangeError or Error when the bytes are no such message. */
  decode(bytes: Uint8Array): Value;
}

/** google.protobuf.Any. The parser brings its own definition of it, whose names are not camelCase. */
export interface AnyMessage {
  readonly type_url: string;
  readonly value: Uint8Array;
}

/** google.protobuf.Timestamp as it is decoded. */
export interface Timestamp {
  readonly seconds: bigint;
  readonly nanos: number;
}

export interface MethodTypes {
  readonly name: string;
  readonly request: string;
  readonly response: string;
  /** Whether it answers with a stream. */
  readonly responseStream: boolean;
}

const objectShape: protobuf.IConversionOptions = { longs: BigInt, defaults: true };

/** The `.proto` files of a directory, read and resolved once. The types that callers name are not checked at run time. */
export class ProtoFiles {
  readonly #root: protobuf.Root;

  /** @param files paths below `directory`, with `/`. Imports are looked up below it too. */
  constructor(directory: string, files: readonly string[]) {
    this.#root = new protobuf.Root();
    this.#root.resolvePath = (_origin, target) => (target.startsWith('google/protobuf/') || target.startsWith('/') ? target : join(directory, target));
    this.#root.loadSync([...files]);
    this.#root.resolveAll();
  }

  codec<Value extends object>(typeName: string): Codec<Value> {
    const type = this.#root.lookupType(typeName);
    return {
      typeName,
      // fromObject first: encode alone writes a bigint as zero.
      encode: (value) => type.encode(type.fromObject(value)).finish(),
      decode: (bytes) => type.toObject(type.decode(bytes), objectShape) as Value,
    };
  }

  /** The methods of a service, with the names of their types. */
  methods(service: string): readonly MethodTypes[] {
    return this.#root.lookupService(service).methodsArray.map(({ name, resolvedRequestType, resolvedResponseType, responseStream = false }) => ({
      name,
      request: resolvedRequestType?.fullName.slice(1) ?? '',
      response: resolvedResponseType?.fullName.slice(1) ?? '',
      responseStream,
    }));
  }

  /** One method of a service, by its name in the contract. */
  method(service: string, name: string): MethodTypes {
    const found = this.methods(service).find((method) => method.name === name);
    if (found === undefined) throw new Error(`no method ${name} in ${service}`);
    return found;
  }
}

/** Nanoseconds since the epoch; 0 for an absent time. */
export function timestampNs(time: Timestamp | null): bigint {
  return time === null ? 0n : time.seconds * 1_000_000_000n + BigInt(time.nanos);
}

/** Where the contracts lie: beside `src` in a checkout and beside the bundle in an installation. */
export const protoDirectory: string = join(import.meta.dirname, '../../proto');
