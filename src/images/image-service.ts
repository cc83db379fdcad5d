import { join } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import type { Digest, ImageId, SnapshotKey } from '../lib/ids.ts';
import { abortable, KeyedMutex } from '../lib/keyed-mutex.ts';
import type { Log } from '../lib/log.ts';
import type { Agent } from '../agent/port.ts';
import { nodePlatform } from '../oci/platform.ts';
import type { SnapshotterName, Snapshotters } from '../snapshotter/port.ts';
import type { StateStore } from '../state/port.ts';
import { Importer } from './archive/importer.ts';
import { Collector } from './collect/collector.ts';
import type { ImageComponents } from './components.ts';
import type { ImagesConfig } from './config.ts';
import { ContentStore } from './content/content-store.ts';
import type { ImageObserver } from './observer.ts';
import type { Image, ImageService, PullProgress, PullRequest, StoreUsage } from './port.ts';
import { unpackImage } from './pull/unpack-image.ts';
import { Puller, type PullerParts } from './pull/puller.ts';
import { ImageCatalog } from './records/image-catalog.ts';
import { Leases } from './records/leases.ts';
import { UnfinishedPulls } from './records/unfinished-pulls.ts';
import { Authorizer } from './registry/authorizer.ts';
import { ConfiguredEndpoints } from './registry/configured-endpoints.ts';
import { HostsDirectory } from './registry/hosts-directory.ts';
import { HostsEndpoints } from './registry/hosts-endpoints.ts';
import { UndiciTransport, type HttpTransport } from './registry/http-transport.ts';
import { RegistryClient } from './registry/registry-client.ts';
import { RemoteRepository } from './registry/remote-repository.ts';
import { StoreMeter } from './store-usage.ts';

export interface ImageServiceInit {
  /** Blobs go to `<stateRoot>/content`. */
  readonly stateRoot: string;
  readonly snapshotters: Snapshotters;
  readonly agent: Pick<Agent, 'unpack' | 'diskUsage'>;
  readonly state: StateStore;
  readonly clock: Clock;
  readonly log: Pick<Log, 'warn'>;
  readonly observer: ImageObserver;
  readonly config: ImagesConfig;
}

/** Opens the image store under the state root and reads what it holds. */
export async function openImageService(init: ImageServiceInit): Promise<ImageStore> {
  const components = createComponents(init);
  const transport = new UndiciTransport({ bytesPerSecond: init.config.minRate, windowMs: init.config.progressTimeoutMs });
  const configured = new ConfiguredEndpoints(init.config.hosts);
  const open = createRemote(init, transport, configured);
  const collector = new Collector(components);
  const puller = new Puller({ components, collector, config: init.config, open });
  const importer = new Importer({ components, collector, defaultRegistry: init.config.defaultRegistry, defaultSnapshotter: init.config.defaultSnapshotter });
  const store = new ImageStore({ components, collector, puller, importer, transport, configured });
  await store.open();
  return store;
}

function createComponents({ stateRoot, snapshotters, agent, state, clock, log, observer, config }: ImageServiceInit): ImageComponents {
  const defect = ({ topSnapshot }: Image): string | undefined =>
    topSnapshot === undefined || snapshotters.stat(topSnapshot) !== undefined ? undefined : `its layers are gone: no snapshot ${topSnapshot}`;
  return {
    content: new ContentStore(join(stateRoot, 'content')),
    snapshotters,
    agent,
    catalog: new ImageCatalog({ state, defaultRegistry: config.defaultRegistry, pinned: config.pinned, defect }),
    unfinished: new UnfinishedPulls(state, clock),
    leases: new Leases(),
    blobLocks: new KeyedMutex<Digest>(),
    downloadLocks: new KeyedMutex<string>(),
    layerLocks: new KeyedMutex<SnapshotKey>(),
    node: nodePlatform(),
    clock,
    log,
    observer,
    discardUnpackedLayers: config.discardUnpackedLayers,
  };
}

/** Opens repositories; where they are is looked up at each opening. */
function createRemote({ clock, log, config }: ImageServiceInit, transport: HttpTransport, configured: ConfiguredEndpoints): PullerParts['open'] {
  const resolver = new HostsEndpoints(new HostsDirectory(config.certsDirs), configured);
  const authorizer = new Authorizer({ transport, clock, elsewhere: (url, endpoint) => resolver.elsewhere(url, endpoint) });
  const parts = { client: new RegistryClient(transport, authorizer), log };
  return async (reference, auth) => new RemoteRepository(parts, { reference, auth, endpoints: await resolver.endpoints(reference.host) });
}

export interface ImageStoreParts {
  readonly components: ImageComponents;
  readonly collector: Collector;
  readonly puller: Puller;
  readonly importer: Importer;
  readonly transport: HttpTransport;
  readonly configured: ConfiguredEndpoints;
}

/** The images of this node. */
export class ImageStore implements ImageService {
  readonly #parts: ImageStoreParts;
  readonly #meter: StoreMeter;

  constructor(parts: ImageStoreParts) {
    this.#parts = parts;
    this.#meter = new StoreMeter(parts.components);
  }

  async open(): Promise<void> {
    const { components, collector } = this.#parts;
    await components.content.open();
    components.catalog.load();
    components.unfinished.load();
    await collector.dropHalfUnpacked();
    await collector.collect();
  }

  /** Takes over what may change while the daemon runs. Pulls under way go on as they began. Fails `invalid`, and then changes nothing. */
  reload({ hosts, pinned }: Pick<ImagesConfig, 'hosts' | 'pinned'>): void {
    this.#parts.components.catalog.pin(pinned);
    this.#parts.configured.replace(hosts);
  }

  async pull(request: PullRequest, signal?: AbortSignal): Promise<Image> {
    const image = await this.#parts.puller.pull(request, signal);
    this.#meter.forget();
    return image;
  }

  pulls(): readonly { readonly reference: string; readonly progress: PullProgress }[] {
    return this.#parts.puller.pulls();
  }

  async importArchive(path: string, { reference }: { readonly reference?: string }, signal?: AbortSignal): Promise<readonly Image[]> {
    const images = await this.#parts.importer.import(path, reference, signal ?? new AbortController().signal);
    this.#meter.forget();
    return images;
  }

  list(): readonly Image[] {
    return this.#parts.components.catalog.list();
  }

  find(reference: string): Image | undefined {
    return this.#parts.components.catalog.find(reference);
  }

  configDocument(id: ImageId): Promise<Uint8Array | undefined> {
    // An image's id is its config's digest.
    return this.#parts.components.content.read(id as string as Digest);
  }

  async unpack(id: ImageId, snapshotter: SnapshotterName, signal?: AbortSignal): Promise<void> {
    await unpackImage(this.#parts.components, id, snapshotter, signal ?? new AbortController().signal);
    this.#meter.forget();
  }

  async remove(reference: string): Promise<void> {
    const image = this.find(reference);
    if (image !== undefined) this.#parts.components.catalog.remove(image.id);
    await this.collect();
  }

  async collect(signal?: AbortSignal): Promise<void> {
    await this.#parts.collector.collect(signal);
    this.#meter.forget();
  }

  usage(signal?: AbortSignal): Promise<StoreUsage> {
    return abortable(this.#meter.usage(), signal);
  }

  /** Ends pulls under way and waits for what works in the background. */
  async close(): Promise<void> {
    await this.#parts.puller.close();
    await this.#parts.collector.idle();
    await this.#parts.transport.close();
  }
}
