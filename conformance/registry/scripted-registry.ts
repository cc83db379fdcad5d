import { readFileSync } from 'node:fs';
import { createServer as createPlainServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { TLSSocket } from 'node:tls';
import { blobsOf } from '../fixtures/archive.ts';
import type { Blob } from '../fixtures/blob.ts';
import type { Image } from '../fixtures/images.ts';
import type { KeyPair } from '../fixtures/tls.ts';

/** A request as it came. */
export interface Visit {
  readonly method: string;
  readonly path: string;
  readonly host: string;
  /** The name that the client asked TLS for. */
  readonly sni: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
  readonly body: string;
}

/** Answers a request in the registry's stead, and says so; what it leaves, the registry answers. */
export type Quirk = (visit: Visit, response: ServerResponse) => boolean | Promise<boolean>;

/** A registry in memory that does what a test tells it to; also whatever else speaks HTTP, a token service say. */
export class ScriptedRegistry implements AsyncDisposable {
  readonly #server: Server;
  readonly #blobs = new Map<string, Blob>();
  readonly #manifests = new Map<string, Blob>();
  readonly #quirk: Quirk;
  readonly seen: Visit[] = [];

  private constructor(quirk: Quirk, tls: KeyPair | undefined) {
    this.#quirk = quirk;
    const listener: RequestListener = (request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    };
    this.#server = tls === undefined ? createPlainServer(listener) : createTlsServer({ cert: readFileSync(tls.cert), key: readFileSync(tls.key) }, listener);
  }

  static async start(quirk: Quirk = () => false, tls?: KeyPair): Promise<ScriptedRegistry> {
    const registry = new ScriptedRegistry(quirk, tls);
    await new Promise<void>((resolve) => {
      registry.#server.listen(0, '127.0.0.1', resolve);
    });
    return registry;
  }

  get host(): string {
    return `127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`;
  }

  get url(): string {
    return `http://${this.host}`;
  }

  /** Every Authorization header that came. */
  get authorizations(): readonly string[] {
    return this.seen.flatMap(({ authorization }) => authorization ?? []);
  }

  add(repository: string, tag: string, image: Image): void {
    for (const blob of blobsOf(image)) this.#blobs.set(blob.descriptor.digest, blob);
    for (const name of [tag, image.manifest.descriptor.digest]) this.#manifests.set(`${repository} ${name}`, image.manifest);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request;
    const sni = (request.socket as Partial<TLSSocket>).servername;
    const visit = { method, path: url, host: headers.host ?? '', sni: typeof sni === 'string' ? sni : '', authorization: headers.authorization, range: headers.range, body: await text(request) };
    this.seen.push(visit);
    if (!(await this.#quirk(visit, response))) this.#serve(visit, response);
  }

  /** What it has at a path of the API. */
  at(path: string): Blob | undefined {
    const [, repository = '', kind = '', name = ''] = /^\/v2\/(.+)\/(manifests|blobs)\/([^?]+)/.exec(path) ?? [];
    return kind === 'blobs' ? this.#blobs.get(name) : this.#manifests.get(`${repository} ${name}`);
  }

  #serve({ path }: Visit, response: ServerResponse): void {
    const found = this.at(path);
    if (found === undefined) response.writeHead(404, { 'content-type': 'application/json' }).end('{"errors":[{"code":"UNKNOWN"}]}');
    else response.writeHead(200, { 'content-type': found.descriptor.mediaType, 'content-length': found.bytes.byteLength, 'docker-content-digest': found.descriptor.digest }).end(found.bytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }
}
