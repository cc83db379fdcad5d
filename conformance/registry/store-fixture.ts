import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import type { ImagesConfig, RegistryHostConfig } from '../../src/images/config.ts';
import { openImageService, type ImageStore } from '../../src/images/image-service.ts';
import type { ImageObserver } from '../../src/images/observer.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { Log, LogFacts } from '../../src/lib/log.ts';
import type { SnapshotKey } from '../../src/lib/ids.ts';
import { AgentClient } from '../../src/agent/agent-client.ts';
import { AgentSupervisor } from '../../src/agent/agent-supervisor.ts';
import { openSnapshotters } from '../../src/snapshotter/open-snapshotters.ts';
import { openState } from '../../src/state/open-state.ts';
import { schema } from '../../src/state/schema.ts';

const native = process.env['BERTH_NATIVE_DIR'] ?? join(import.meta.dirname, '../../native/target/x86_64-unknown-linux-gnu/release');

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

/** An image service over a directory of its own that can be closed and opened again; all its parts are the real ones. */
export class StoreFixture {
  readonly directory = mkdtempSync(join(tmpdir(), 'berth-images-'));
  readonly heard = new Heard();
  /** Messages with all their fields. */
  readonly warnings: string[] = [];
  readonly #log: Log = { info: () => undefined, warn: (facts, message) => this.#hear(facts, message), error: (facts, message) => this.#hear(facts, message) };
  readonly state = openState(this.directory, this.#log, [schema]);
  readonly #supervisor = new AgentSupervisor({ log: this.#log }, { path: join(native, 'berth-agent'), root: this.directory });
  readonly agent = new AgentClient({ supervisor: this.#supervisor }, { pausePath: join(native, 'berth-pause') });
  readonly snapshotter = openSnapshotters({ state: this.state, agent: this.agent, clock: systemClock, log: this.#log }, { stateRoot: this.directory, volatile: false });

  constructor() {
    this.#supervisor.start();
  }

  open(change: Partial<ImagesConfig> = {}): Promise<ImageStore> {
    return openImageService({
      stateRoot: this.directory,
      snapshotters: this.snapshotter,
      agent: this.agent,
      state: this.state,
      clock: systemClock,
      observer: this.heard,
      log: this.#log,
      config: {
        defaultRegistry: '',
        hosts: {},
        certsDirs: [],
        defaultSnapshotter: 'overlay',
        maxConcurrentDownloads: 3,
        maxConcurrentPulls: 5,
        progressTimeoutMs: 5000,
        minRate: 1024,
        discardUnpackedLayers: true,
        pinned: [],
        ...change,
      },
    });
  }

  #hear(facts: LogFacts, message: string): void {
    this.warnings.push(`${message} ${inspect(facts, { depth: 10 })}`);
  }

  /** Directories of an image's layers, topmost first. */
  async layerDirs(topSnapshot: SnapshotKey | undefined): Promise<readonly string[]> {
    const probe = 'probe' as SnapshotKey;
    await this.snapshotter.prepare(probe, topSnapshot);
    const { parents } = this.snapshotter.layerDirs(probe);
    await this.snapshotter.remove(probe);
    return parents;
  }

  /** Names in each layer of an image, topmost first. */
  async files(topSnapshot: SnapshotKey | undefined): Promise<readonly (readonly string[])[]> {
    return (await this.layerDirs(topSnapshot)).map((path) => readdirSync(path));
  }

  async remove(): Promise<void> {
    await this.snapshotter.settled();
    await this.#supervisor.close();
    this.state.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
