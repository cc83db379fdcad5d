import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { blobsOf } from '../fixtures/archive.ts';
import type { Blob } from '../fixtures/blob.ts';
import type { Image, Index } from '../fixtures/images.ts';

/** A registry that serves images as they are; the real one refuses to take some of them. */
export class OddRegistry implements AsyncDisposable {
  readonly #server: Server;
  readonly #content = new Map<string, Blob>();

  private constructor() {
    this.#server = createServer(({ url = '' }, response) => {
      const found = this.#content.get(url.split('/').at(-1) ?? '');
      if (found === undefined) response.writeHead(404).end('{}');
      else response.writeHead(200, { 'content-type': found.descriptor.mediaType, 'docker-content-digest': found.descriptor.digest }).end(found.bytes);
    });
  }

  static async start(): Promise<OddRegistry> {
    const registry = new OddRegistry();
    await new Promise<void>((resolve) => {
      registry.#server.listen(0, '127.0.0.1', resolve);
    });
    return registry;
  }

  get host(): string {
    return `127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`;
  }

  /** Returns the reference by which the image can be pulled. */
  add(tag: string, content: Image | Index): string {
    const blobs = blobsOf(content);
    for (const blob of blobs) this.#content.set(blob.descriptor.digest, blob);
    this.#content.set(tag, 'index' in content ? content.index : content.manifest);
    return `${this.host}/odd:${tag}`;
  }

  forget({ descriptor }: Blob): void {
    this.#content.delete(descriptor.digest);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }
}
