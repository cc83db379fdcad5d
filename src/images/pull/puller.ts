import { setTimeout as sleep } from 'node:timers/promises';
import { BerthError, isKind } from '../../lib/errors.ts';
import { Places } from '../../lib/places.ts';
import { SingleFlight } from '../../lib/single-flight.ts';
import { chainIds } from '../../oci/digest.ts';
import { formatReference, parseReference, repositoryOf, type Reference } from '../../oci/reference.ts';
import type { SnapshotterName } from '../../snapshotter/port.ts';
import type { Collector } from '../collect/collector.ts';
import type { ImageComponents } from '../components.ts';
import type { ImagesConfig } from '../config.ts';
import type { PullOutcome } from '../observer.ts';
import type { Image, PullProgress, PullRequest, RegistryAuth } from '../port.ts';
import { withRetry } from '../registry/backoff.ts';
import { fingerprint } from '../registry/credentials.ts';
import { RegistryError } from '../registry/registry-error.ts';
import type { RemoteRepository } from '../registry/remote-repository.ts';
import { installImage } from './install-image.ts';
import { ProgressTracker } from './progress.ts';
import { PullPlaces } from './pull-places.ts';
import { resolveImage } from './resolve-image.ts';

export interface PullerParts {
  readonly components: ImageComponents;
  readonly collector: Collector;
  readonly open: (reference: Reference, auth: RegistryAuth | undefined) => Promise<RemoteRepository>;
  readonly config: Pick<ImagesConfig, 'defaultRegistry' | 'defaultSnapshotter' | 'maxConcurrentDownloads' | 'maxConcurrentPulls' | 'minRate'>;
}

interface RunningPull {
  readonly reference: string;
  readonly tracker: ProgressTracker;
}

/** For so long a shutdown waits for pulls to end. */
const shutdownMs = 2000;

/** Pulls images from registries. */
export class Puller {
  readonly #parts: PullerParts;
  readonly #places: PullPlaces;
  readonly #flights = new SingleFlight<Image>();
  readonly #running = new Map<string, RunningPull>();

  constructor(parts: PullerParts) {
    this.#parts = parts;
    this.#places = new PullPlaces({ places: parts.config.maxConcurrentPulls, minRate: parts.config.minRate });
  }

  async pull({ reference: text, auth, snapshotter = this.#parts.config.defaultSnapshotter, onProgress }: PullRequest, signal: AbortSignal | undefined): Promise<Image> {
    const reference = parseReference(text, this.#parts.config.defaultRegistry);
    const name = formatReference(reference);
    // Rights differ: nobody may get an image by joining the pull of someone with better credentials.
    const key = `${name} ${fingerprint(auth)} ${snapshotter}`;
    const tracker = this.#running.get(key)?.tracker ?? new ProgressTracker(this.#parts.components.clock);
    const stopListening = onProgress === undefined ? undefined : tracker.listen(onProgress);
    try {
      return await this.#flights.run(key, (abort) => this.#tracked(key, { reference, auth, snapshotter, tracker }, abort), signal);
    } finally {
      stopListening?.();
    }
  }

  /** Ends all pulls, whose parts stay for the next daemon. Does not wait for the longest of unpacks. */
  async close(): Promise<void> {
    const ended = this.#flights.close(new BerthError('unavailable', 'berthd is shutting down', { hint: 'pull again' }));
    await Promise.race([ended, sleep(shutdownMs, undefined, { ref: false })]);
  }

  pulls(): readonly { readonly reference: string; readonly progress: PullProgress }[] {
    return [...this.#running.values()].map(({ reference, tracker }) => ({ reference, progress: tracker.current() }));
  }

  async #tracked(key: string, job: PullJob, signal: AbortSignal): Promise<Image> {
    const { clock, observer } = this.#parts.components;
    const entry = { reference: formatReference(job.reference), tracker: job.tracker };
    const startMs = clock.monotonicMs();
    let outcome: PullOutcome = 'failed';
    this.#running.set(key, entry);
    try {
      const image = await this.#places.run({ registry: job.reference.host, tracker: job.tracker }, () => this.#work(job, signal), signal);
      outcome = 'ok';
      return image;
    } catch (error) {
      if (signal.aborted) outcome = 'canceled';
      throw error;
    } finally {
      if (this.#running.get(key) === entry) this.#running.delete(key);
      observer.pullFinished(outcome, (clock.monotonicMs() - startMs) / 1000);
    }
  }

  async #work(job: PullJob, signal: AbortSignal): Promise<Image> {
    const repository = await this.#parts.open(job.reference, job.auth);
    const known = await this.#ifUnchanged(job, repository, signal);
    const image = known ?? (await this.#install(job, repository, signal));
    job.tracker.enter('done');
    return image;
  }

  /**
   * An image that is here already is only asked about: HEAD is cheap and most registries do not count it. The registry is
   * asked in any case, since the caller's credentials may not be good for the image.
   */
  async #ifUnchanged({ reference, snapshotter }: PullJob, repository: RemoteRepository, signal: AbortSignal): Promise<Image | undefined> {
    const { catalog } = this.#parts.components;
    if (catalog.find(formatReference(reference)) === undefined) return undefined;
    const digest = await withRetry(() => headOf(repository, reference, signal), signal);
    const image = digest === undefined ? undefined : catalog.find(`${repositoryOf(reference)}@${digest}`);
    const isTagged = reference.tag === undefined || image?.repoTags.includes(formatReference(reference)) === true;
    return isTagged && image !== undefined && (await this.#isWhole(image, snapshotter)) ? image : undefined;
  }

  /** Whether all is still there that the image was made of; what is not comes with the pull. */
  async #isWhole({ id, layers }: Image, name: SnapshotterName): Promise<boolean> {
    const { catalog, content, snapshotters, discardUnpackedLayers } = this.#parts.components;
    const kept = [...(catalog.record(id)?.documents ?? []), ...(discardUnpackedLayers ? [] : layers.map(({ digest }) => digest))];
    const blobs = await Promise.all(kept.map((digest) => content.locate(digest)));
    return !blobs.includes(undefined) && chainIds(layers.map(({ diffId }) => diffId)).every((key) => snapshotters.of(name).isWhole(key));
  }

  async #install({ reference, auth, snapshotter: unpackWith, tracker }: PullJob, source: RemoteRepository, signal: AbortSignal): Promise<Image> {
    const { components: parts, collector, config } = this.#parts;
    const what = formatReference(reference);
    const plan = await resolveImage({ source, content: parts.content, node: parts.node, what, signal }, reference.digest ?? reference.tag);
    const [downloads, snapshotter] = [new Places(config.maxConcurrentDownloads), parts.snapshotters.of(unpackWith)];
    const names = {
      tags: reference.tag === undefined ? [] : [what],
      digests: [`${repositoryOf(reference)}@${plan.target}`],
      work: `${what} ${fingerprint(auth)}`,
    };
    try {
      const image = await installImage({ parts, snapshotter, source, downloads, progress: tracker, signal }, plan, names);
      // The caller wants to start a container; the blobs can go a moment later.
      collector.collectSoon();
      return image;
    } catch (error) {
      await collector.collect();
      throw withName(error, what);
    }
  }
}

interface PullJob {
  readonly reference: Reference;
  readonly auth: RegistryAuth | undefined;
  readonly snapshotter: SnapshotterName;
  readonly tracker: ProgressTracker;
}

/** Layer errors name the layer; whoever reads them wants to know the image, too. */
function withName(error: unknown, what: string): unknown {
  if (!(error instanceof BerthError) || isKind(error, 'canceled') || error.message.includes(what)) return error;
  return new BerthError(error.kind, `cannot pull ${what}: ${error.message}`, { cause: error, ...(error.hint === undefined ? {} : { hint: error.hint }) });
}

/** Servers that have no HEAD refuse it in several ways, and none says why: the answer to GET counts. What another try may mend is no refusal. */
const isRefusal = (error: unknown): boolean => error instanceof RegistryError && error.status !== 0 && (!error.transient || error.status === 501);

async function headOf(repository: RemoteRepository, reference: Reference, signal: AbortSignal): Promise<string | undefined> {
  try {
    return await repository.headManifest(reference.digest ?? reference.tag, signal);
  } catch (error) {
    if (isRefusal(error)) return undefined;
    throw error;
  }
}
