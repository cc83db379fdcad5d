import { BerthError, isKind, messageOf } from '../../lib/errors.ts';
import type { Places } from '../../lib/places.ts';
import { isForeignLayer } from '../../oci/media-type.ts';
import type { ImageComponents } from '../components.ts';
import type { BlobSource } from '../content/blob-source.ts';
import { fetchBlob } from '../content/fetch-blob.ts';
import type { ImagePlan, LayerPlan } from './image-plan.ts';
import type { ProgressTracker } from './progress.ts';
import type { Snapshotter } from '../../snapshotter/port.ts';
import { unpackLayer } from './unpack-layer.ts';

export interface InstallContext {
  readonly parts: ImageComponents;
  /** Where the layers' snapshots are made. */
  readonly snapshotter: Snapshotter;
  readonly source: BlobSource;
  readonly downloads: Places;
  readonly progress: ProgressTracker;
  readonly signal: AbortSignal;
}

/**
 * Turns the plan's layers into snapshots: downloads run side by side, unpacking goes upwards and begins as soon as the
 * lowest layer is there. Layers that exist are skipped. The caller holds leases on all of them.
 */
export async function installLayers(context: InstallContext, plan: ImagePlan): Promise<void> {
  const failed = new AbortController();
  const signal = AbortSignal.any([context.signal, failed.signal]);
  const work = new LayerWork({ ...context, signal }, plan);
  try {
    await work.run();
  } catch (error) {
    failed.abort(new BerthError('canceled', 'another layer failed'));
    await work.settled();
    throw error;
  }
}

class LayerWork {
  readonly #context: InstallContext;
  readonly #plan: ImagePlan;
  readonly #fetches = new Map<LayerPlan, Promise<string>>();
  #unpacked: Promise<void> = Promise.resolve();

  constructor(context: InstallContext, plan: ImagePlan) {
    this.#context = context;
    this.#plan = plan;
  }

  async run(): Promise<void> {
    const { snapshotter, parts } = this.#context;
    const wanted = this.#plan.layers.filter(({ snapshot }) => !parts.discardUnpackedLayers || !snapshotter.isWhole(snapshot));
    if (wanted.length > 0) this.#context.progress.enter('downloading');
    this.#unpacked = this.#unpackAll();
    await Promise.all([...wanted.map((layer) => this.#fetch(layer)), this.#unpacked]);
  }

  async settled(): Promise<void> {
    // A layer that is just being committed must be there, or not, before the leases go.
    await Promise.allSettled([...this.#fetches.values(), this.#unpacked]);
  }

  async #unpackAll(): Promise<void> {
    const { progress } = this.#context;
    for (const [index, layer] of this.#plan.layers.entries()) {
      await this.#unpack(layer);
      progress.unpacked(index);
    }
  }

  /** A layer that was kept may have rotted on disk: then, and only then, it comes once more. */
  async #unpack(layer: LayerPlan): Promise<void> {
    const { parts: { content, blobLocks }, signal } = this.#context;
    const { digest } = layer.descriptor;
    try {
      await this.#make(layer);
    } catch (error) {
      signal.throwIfAborted();
      if (!this.#fetches.has(layer) || (await blobLocks.run(digest, () => content.verify(digest), signal))) throw error;
      this.#fetches.delete(layer);
      await this.#make(layer);
    }
  }

  /**
   * Whoever comes second finds the snapshot made. The layer comes before its lock is taken: a server that sends it slowly
   * must not hold up those who have it from another.
   */
  async #make(layer: LayerPlan): Promise<void> {
    const { parts, snapshotter, progress, signal } = this.#context;
    const isMade = (): boolean => snapshotter.isWhole(layer.snapshot);
    if (await parts.layerLocks.run(layer.snapshot, async () => isMade(), signal)) return;
    const blob = await this.#fetch(layer);
    const make = async (): Promise<void> => {
      if (isMade()) return;
      progress.enter('unpacking');
      await unpackLayer({ ...parts, snapshotter }, layer, blob, signal);
    };
    await parts.layerLocks.run(layer.snapshot, make, signal);
  }

  /** Resolves with the blob's file. */
  #fetch(layer: LayerPlan): Promise<string> {
    const known = this.#fetches.get(layer);
    if (known !== undefined) return known;
    const fetch = this.#bring(layer);
    // Unpacking may not have come to it yet when it fails.
    fetch.catch(() => undefined);
    this.#fetches.set(layer, fetch);
    return fetch;
  }

  /** Only pulls from the same origin wait for each other's downloads. */
  async #bring(layer: LayerPlan): Promise<string> {
    const { parts, source, signal } = this.#context;
    const { digest } = layer.descriptor;
    await parts.downloadLocks.run(`${digest} ${source.origin}`, () => this.#download(layer), signal);
    return parts.blobLocks.run(digest, () => this.#keep(layer), signal);
  }

  async #download(layer: LayerPlan): Promise<void> {
    const { parts, source, downloads, progress, signal } = this.#context;
    const { content, clock, observer, blobLocks } = parts;
    const { digest } = layer.descriptor;
    const index = this.#plan.layers.indexOf(layer);
    const onProgress = (doneBytes: number): void => {
      progress.downloaded(index, doneBytes);
    };
    // Under the lock, so that a removal that began before our lease is over; after it none begins.
    const known = await blobLocks.run(digest, () => content.locate(digest), signal);
    const fetch = (): Promise<void> => fetchBlob({ source, content, clock, observer, onProgress, signal }, layer.descriptor);
    if (known === undefined) await downloads.run(fetch, signal).catch((error: unknown) => Promise.reject(explained(error, layer)));
  }

  async #keep(layer: LayerPlan): Promise<string> {
    const { content, discardUnpackedLayers } = this.#context.parts;
    if (!discardUnpackedLayers) await content.publish(layer.descriptor.digest);
    return located(await content.locate(layer.descriptor.digest), layer);
  }
}

/** The URLs that a manifest gives for a layer are never asked: whoever writes it must not choose where this node connects to. */
function explained(error: unknown, { descriptor: { mediaType } }: LayerPlan): unknown {
  if (!isKind(error, 'not-found') || !isForeignLayer(mediaType)) return error;
  return new BerthError('not-found', `${messageOf(error)}: it is a foreign layer, which is not in every registry`, { cause: error, hint: 'push the image with its foreign layers; berth takes them from the registry alone' });
}

function located(path: string | undefined, { descriptor }: LayerPlan): string {
  if (path === undefined) throw new BerthError('internal', `blob ${descriptor.digest} vanished`);
  return path;
}
