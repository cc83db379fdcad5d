import { Readable } from 'node:stream';
import { BerthError } from '../../lib/errors.ts';
import type { Digest } from '../../lib/ids.ts';
import type { Log } from '../../lib/log.ts';
import { digestOf, isDigest } from '../../oci/digest.ts';
import { maxManifestBytes, type Descriptor } from '../../oci/manifest.ts';
import { acceptedManifests } from '../../oci/media-type.ts';
import { formatReference, type Reference } from '../../oci/reference.ts';
import type { BlobSource, FetchedManifest, OpenBlob } from '../content/blob-source.ts';
import type { RegistryAuth } from '../port.ts';
import { asTheyAre, codingsOf, unpacked } from './content-coding.ts';
import { credentialsFor } from './credentials.ts';
import type { Endpoint } from './endpoint.ts';
import type { HttpResponse } from './http-transport.ts';
import { TooSlow } from './least-rate.ts';
import type { RegistryCall, RegistryClient } from './registry-client.ts';
import { alsoTried, readBody, RegistryError, unreachable } from './registry-error.ts';

export interface RemoteParts {
  readonly client: RegistryClient;
  readonly log: Pick<Log, 'warn'>;
}

export interface RemoteInit {
  readonly reference: Reference;
  readonly auth: RegistryAuth | undefined;
  /** In the order in which to ask them. */
  readonly endpoints: readonly Endpoint[];
}

interface Ask {
  readonly method: 'GET' | 'HEAD';
  readonly resource: string;
  /** What a server must be trusted with to be asked. */
  readonly needs: 'pull' | 'resolve';
  readonly headers: Readonly<Record<string, string>>;
  readonly expected: readonly number[];
  readonly signal: AbortSignal;
}

interface Packed {
  readonly response: HttpResponse;
  readonly codings: readonly string[];
  readonly endpoint: Endpoint;
}

/** One repository as one pull sees it: its servers in order, with the caller's credentials. A mirror that is down is asked once only. */
export class RemoteRepository implements BlobSource {
  readonly #parts: RemoteParts;
  readonly #reference: Reference;
  readonly #auth: RegistryAuth | undefined;
  readonly #down = new Set<Endpoint>();
  readonly #endpoints: readonly Endpoint[];

  constructor(parts: RemoteParts, { reference, auth, endpoints }: RemoteInit) {
    this.#parts = parts;
    this.#reference = reference;
    this.#auth = auth;
    this.#endpoints = endpoints;
  }

  get origin(): string {
    return this.#reference.host;
  }

  /** What the tag means now, if the server tells without sending it. A digest means itself: the server only says that it has it. */
  async headManifest(name: string, signal: AbortSignal): Promise<Digest | undefined> {
    const { response, endpoint } = await this.#ask({ method: 'HEAD', resource: `manifests/${name}`, needs: needsFor(name), headers: { accept: acceptedManifests }, expected: whole, signal });
    await response.discard();
    const claimed = claimedDigest(response);
    if (!isDigest(name)) return claimed;
    this.#checkDigest(claimed ?? name, name, endpoint);
    return name;
  }

  async manifest(name: string, signal: AbortSignal): Promise<FetchedManifest> {
    const { response, endpoint } = await this.#ask({ method: 'GET', resource: `manifests/${name}`, needs: needsFor(name), headers: { accept: acceptedManifests, ...asTheyAre }, expected: whole, signal });
    const bytes = await this.#readManifest(response, endpoint, signal);
    const digest = digestOf(bytes);
    this.#checkDigest(digest, isDigest(name) ? name : claimedDigest(response), endpoint);
    const contentType = response.headers('content-type')[0]?.split(';')[0]?.trim() ?? '';
    return { bytes, digest, mediaType: contentType };
  }

  async open(descriptor: Descriptor, offset: number, signal: AbortSignal): Promise<OpenBlob> {
    const resource = `blobs/${descriptor.digest}`;
    const headers: Record<string, string> = offset === 0 ? asTheyAre : { ...asTheyAre, range: `bytes=${String(offset)}-` };
    const { response, endpoint } = await this.#ask({ method: 'GET', resource, needs: 'pull', headers, expected: [...whole, 206, 416], signal });
    const codings = codingsOfBlob(response, descriptor.size);
    const isPart = response.status === 206 && offset > 0;
    // A part of what the server packed for the way joins nothing.
    if (response.status === 416 || (isPart && codings.length > 0)) {
      await response.discard();
      if (offset === 0) throw new RegistryError(`cannot pull ${formatReference(this.#reference)}: ${endpoint.host} answered 416`, { status: 416 });
      return this.open(descriptor, 0, signal);
    }
    return { offset: response.status === 206 ? startOf(response, offset) : 0, body: this.#body({ response, codings, endpoint }, signal) };
  }

  #checkDigest(found: Digest, wanted: Digest | undefined, { host }: Endpoint): void {
    if (wanted === undefined || found === wanted) return;
    throw new BerthError('signature', `manifest of ${formatReference(this.#reference)} from ${host} has digest ${found} instead of ${wanted}`);
  }

  async #readManifest(response: HttpResponse, endpoint: Endpoint, signal: AbortSignal): Promise<Uint8Array> {
    const reference = formatReference(this.#reference);
    try {
      const bytes = await readBody(response, maxManifestBytes, `manifest of ${reference}`);
      const codings = bytes[0] === openingBrace ? [] : codingsOf(response);
      return await readBody({ body: unpacked(Readable.from([bytes]), codings) }, maxManifestBytes, `manifest of ${reference}`);
    } catch (error) {
      signal.throwIfAborted();
      throw this.#broken(error, endpoint);
    }
  }

  /** Gives a connection that breaks in the middle of a body the same kind of error as one that never came up. */
  async *#body({ response, codings, endpoint }: Packed, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    try {
      yield* unpacked(response.body, codings);
    } catch (error) {
      await response.discard();
      signal.throwIfAborted();
      throw this.#broken(error, endpoint);
    }
  }

  /** A mirror that drips is not asked again: the next server goes on where it was. */
  #broken(error: unknown, endpoint: Endpoint): BerthError {
    if (!(error instanceof TooSlow) || endpoint === this.#endpoints.at(-1)) return unreachable(this.#doing, endpoint.host, error);
    this.#down.add(endpoint);
    return new RegistryError(error.message, { status: 0, cause: error });
  }

  async #ask(ask: Ask): Promise<{ readonly response: HttpResponse; readonly endpoint: Endpoint }> {
    const capable = this.#endpoints.filter(({ capabilities }) => capabilities[ask.needs]);
    const passed: string[] = [];
    for (const endpoint of capable) {
      // The last one's answer is the answer, whatever it is.
      const isLast = endpoint === capable.at(-1);
      if (!isLast && this.#down.has(endpoint)) continue;
      try {
        return { response: await this.#parts.client.call(this.#call(ask, endpoint), ask.expected), endpoint };
      } catch (error) {
        ask.signal.throwIfAborted();
        if (isLast) throw alsoTried(error, passed);
        passed.push(this.#passOver(endpoint, error));
      }
    }
    throw new BerthError('precondition', `cannot pull ${formatReference(this.#reference)}: no server of ${this.#reference.host} has the capability "${ask.needs}"`, { hint: 'add it in its hosts.toml' });
  }

  get #doing(): string {
    return `pull ${formatReference(this.#reference)}`;
  }

  #call({ method, resource, headers, signal }: Ask, endpoint: Endpoint): RegistryCall {
    const { host, path } = this.#reference;
    const access = { endpoint, path, credentials: credentialsFor(this.#auth, endpoint, host) };
    return { access, method, resource, headers, doing: this.#doing, signal };
  }

  /** Says what was wrong with the server. */
  #passOver(endpoint: Endpoint, error: unknown): string {
    const isDown = error instanceof RegistryError && error.status === 0;
    if (isDown) this.#down.add(endpoint);
    this.#parts.log.warn({ mirror: endpoint.host, reference: formatReference(this.#reference), err: error }, 'mirror did not answer, asking the next server');
    return error instanceof BerthError ? error.message.replace(`cannot ${this.#doing}: `, '') : endpoint.host;
  }
}

/** A proxy on the way may answer 203, and some servers say 201 or 202 for what is there. */
const whole = [200, 201, 202, 203] as const;

/** What a manifest begins with that is not packed. */
const openingBrace = 0x7b;

/** What a tag means is for trusted servers to say; a digest proves itself. */
const needsFor = (name: string): 'pull' | 'resolve' => (isDigest(name) ? 'pull' : 'resolve');

function claimedDigest(response: HttpResponse): Digest | undefined {
  const digest = response.headers('docker-content-digest')[0] ?? '';
  return isDigest(digest) ? digest : undefined;
}

/** Storage calls a layer packed, too, because it is a gzip file; then it sends as many bytes as the layer has. */
function codingsOfBlob(response: HttpResponse, size: number): readonly string[] {
  const total = /\/(\d+)$/.exec(response.headers('content-range')[0] ?? '')?.[1] ?? response.headers('content-length')[0];
  return total === String(size) ? [] : codingsOf(response);
}

/** Some servers begin elsewhere than asked; appending there would only be noticed after the whole download. */
function startOf(response: HttpResponse, asked: number): number {
  const start = /^bytes (\d+)-/.exec(response.headers('content-range')[0] ?? '')?.[1];
  if (start !== undefined && Number(start) !== asked) throw new RegistryError(`the server sent bytes from ${start} instead of ${String(asked)}`, { status: 0 });
  return asked;
}
