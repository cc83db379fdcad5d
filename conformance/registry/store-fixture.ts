import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import type { ImagesConfig, RegistryHostConfig } from '../../src/images/config.ts';
import { openImageService, type ImageStore } from '../../src/images/image-service.ts';
import type { ImageObserver } from '../../src/images/observer.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { Log, LogFacts } from '../../src/lib/log.ts';
import { openState } from '../../src/state/open-state.ts';
import { PlainSnapshotter } from './plain-snapshotter.ts';
import { tarAgent } from './tar-agent.ts';

export const plainHttp: RegistryHostConfig = { server: '', mirrors: [], insecure: true, ca: '', clientCert: '', clientKey: '', skipVerify: false, username: '', password: '', identityToken: '' };

/** What the observer heard. */
export class Heard implements ImageObserver {
  readonly downloads: number[] = [];
  readonly unpacks: number[] = [];
  readonly outcomes: string[] = [];

  blobDownloaded(bytes: number): void {
    this.downloads.push(bytes);
  }

  layerUnpacked(bytes: number): void {
    this.unpacks.push(bytes);
  }

  pullFinished(outcome: string): void {
    this.outcomes.push(outcome);
  }
}

/** An image service over a directory of its own that can be closed and opened again. */
export class StoreFixture {
  readonly directory = mkdtempSync(join(tmpdir(), 'berth-images-'));
  readonly snapshotter = new PlainSnapshotter(join(this.directory, 'snapshots'));
  readonly heard = new Heard();
  /** Messages with all their fields. */
  readonly warnings: string[] = [];
  readonly #log: Log = { info: () => undefined, warn: (facts, message) => this.#hear(facts, message), error: (facts, message) => this.#hear(facts, message) };
  readonly state = openState(this.directory, this.#log);

  open(change: Partial<ImagesConfig> = {}): Promise<ImageStore> {
    return openImageService({
      stateRoot: this.directory,
      snapshotter: this.snapshotter,
      agent: tarAgent,
      state: this.state,
      clock: systemClock,
      observer: this.heard,
      log: this.#log,
      config: {
        defaultRegistry: '',
        hosts: {},
        maxConcurrentDownloads: 3,
        maxConcurrentPulls: 5,
        progressTimeoutMs: 5000,
        discardUnpackedLayers: true,
        pinned: [],
        ...change,
      },
    });
  }

  #hear(facts: LogFacts, message: string): void {
    this.warnings.push(`${message} ${inspect(facts, { depth: 10 })}`);
  }

  remove(): void {
    this.state.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
