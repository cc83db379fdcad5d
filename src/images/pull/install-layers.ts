import { BerthError } from '../../lib/errors.ts';
import type { Limit } from '../../lib/limit.ts';
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
  readonly downloads: Limit;
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
    const wanted = this.#plan.layers.filter(({ snapshot }) => !parts.discardUnpackedLayers || snapshotter.stat(snapshot) === undefined);
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

  /** Whoever comes second waits here and finds the snapshot made. */
  #unpack(layer: LayerPlan): Promise<void> {
    const { parts, snapshotter, progress, signal } = this.#context;
    const make = async (): Promise<void> => {
      if (snapshotter.stat(layer.snapshot) !== undefined) return;
      const blob = await this.#fetch(layer);
      progress.enter('unpacking');
      await unpackLayer({ ...parts, snapshotter }, layer, blob, signal);
    };
    return parts.layerLocks.run(layer.snapshot, make, signal);
  }

  /** Resolves with the blob's file. */
  #fetch(layer: LayerPlan): Promise<string> {
    const known = this.#fetches.get(layer);
    if (known !== undefined) return known;
    const { parts, signal } = this.#context;
    const fetch = parts.blobLocks.run(layer.descriptor.digest, () => this.#bring(layer), signal);
    // Unpacking may not have come to it yet when it fails.
    fetch.catch(() => undefined);
    this.#fetches.set(layer, fetch);
    return fetch;
  }

  async #bring(layer: LayerPlan): Promise<string> {
    const { parts, source, downloads, progress, signal } = this.#context;
    const { content, clock, observer } = parts;
    const { digest } = layer.descriptor;
    const index = this.#plan.layers.indexOf(layer);
    const onProgress = (doneBytes: number): void => {
      progress.downloaded(index, doneBytes);
    };
    if ((await content.locate(digest)) === undefined) {
      await downloads.run(() => fetchBlob({ source, content, clock, observer, onProgress, signal }, layer.descriptor), signal);
    }
    if (!parts.discardUnpackedLayers) await content.publish(digest);
    return located(await content.locate(digest), layer);
  }
}

function located(path: string | undefined, { descriptor }: LayerPlan): string {
  if (path === undefined) throw new BerthError('internal', `blob ${descriptor.digest} vanished`);
  return path;
}
