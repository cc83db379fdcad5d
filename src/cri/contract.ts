import { ProtoFiles, protoDirectory, type Codec } from '../lib/proto.ts';

export const runtimeService = 'runtime.v1.RuntimeService';
export const imageService = 'runtime.v1.ImageService';

/** The CRI contract, read from proto/cri. Messages are those of ./messages. */
export class CriContract {
  readonly #files = new ProtoFiles(protoDirectory, ['cri/api.proto']);

  /** Codec of a message of the contract, by its name there. */
  codec<Message extends object>(name: string): Codec<Message> {
    return this.#files.codec<Message>(`runtime.v1.${name}`);
  }

  /** Codecs of a method's request and response. */
  method(service: string, name: string): { readonly request: Codec<object>; readonly response: Codec<object> } {
    const types = this.#files.methodTypes(service, name);
    return { request: this.#files.codec(types.request), response: this.#files.codec(types.response) };
  }
}
