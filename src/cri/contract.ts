import { type Codec, ProtoFiles, protoDirectory } from '../lib/proto.ts';

export const runtimeService = 'runtime.v1.RuntimeService';
export const imageService = 'runtime.v1.ImageService';

export interface ContractMethod {
  readonly name: string;
  readonly request: Codec<object>;
  readonly response: Codec<object>;
  /** Whether it answers with a stream. */
  readonly responseStream: boolean;
}

/** The CRI contract, read from proto/cri. Messages are those of ./messages. */
export class CriContract {
  readonly #files = new ProtoFiles(protoDirectory, ['cri/api.proto']);

  /** Codec of a message of the contract, by its name there. */
  codec<Message extends object>(name: string): Codec<Message> {
    return this.#files.codec<Message>(`runtime.v1.${name}`);
  }

  /** Measures messages of a type: how many bytes each is when encoded. */
  sizeOf<Message extends object>(name: string): (message: Message) => number {
    const codec = this.codec<Message>(name);
    return (message) => codec.encode(message).length;
  }

  methods(service: string): readonly ContractMethod[] {
    return this.#files.methods(service).map(({ name, request, response, responseStream }) => ({
      name,
      request: this.#files.codec(request),
      response: this.#files.codec(response),
      responseStream,
    }));
  }
}
