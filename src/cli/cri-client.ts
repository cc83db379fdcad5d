import { connect } from 'node:net';
import { join } from 'node:path';
import { credentials, loadPackageDefinition, status, type Client, type ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { unreachable } from './unreachable.ts';

const protoPath = join(import.meta.dirname, '../../proto/cri/api.proto');

/** A decoded message: proto field names, enums as names, 64-bit integers as decimal strings. */
export type Message = Readonly<Record<string, unknown>>;

type Unary = (request: object, options: { deadline?: number }, done: (error: ServiceError | null, reply: Message) => void) => void;
type ServiceClient = Client & Readonly<Record<string, Unary>>;
type ServiceConstructor = new (address: string, creds: ReturnType<typeof credentials.createInsecure>, options: object) => ServiceClient;

const maxMessageBytes = 16 << 20;

/** A CRI client for one socket. Methods are called by name; failures are grpc-js ServiceErrors. */
export class CriClient {
  readonly #socket: string;
  readonly #runtime: ServiceClient;
  readonly #images: ServiceClient;

  constructor(socket: string) {
    this.#socket = socket;
    const definition = loadSync(protoPath, { keepCase: true, longs: String, enums: String, defaults: true });
    const runtime = (loadPackageDefinition(definition)['runtime'] as unknown as { v1: Record<string, ServiceConstructor> }).v1;
    const client = (name: string): ServiceClient => {
      const Service = runtime[name];
      if (Service === undefined) throw new Error(`${protoPath} declares no service ${name}`);
      return new Service(`unix://${socket}`, credentials.createInsecure(), { 'grpc.max_receive_message_length': maxMessageBytes });
    };
    this.#runtime = client('RuntimeService');
    this.#images = client('ImageService');
  }

  async call(method: string, request: object = {}, timeoutMs?: number): Promise<Message> {
    const service = method in this.#images ? this.#images : this.#runtime;
    const options = timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
    return new Promise((resolve, reject) => {
      const invoke = service[method];
      if (invoke === undefined) {
        reject(new Error(`CRI has no method ${method}`));
        return;
      }
      invoke.call(service, request, options, (error, reply) => {
        if (error === null) resolve(reply);
        else this.#explain(error, reject);
      });
    });
  }

  /** Of a socket that nobody answers at, grpc-js says much to programmers; of all else, what berthd said. */
  #explain(error: ServiceError, told: (why: Error) => void): void {
    if (error.code !== status.UNAVAILABLE) {
      told(error);
      return;
    }
    const probe = connect(this.#socket, () => {
      probe.destroy();
      told(error);
    });
    probe.once('error', (cause) => {
      told(unreachable(this.#socket, cause));
    });
  }

  close(): void {
    this.#runtime.close();
    this.#images.close();
  }
}
