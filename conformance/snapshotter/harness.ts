import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/lib/clock.ts';
import type { SnapshotKey } from '../../src/lib/ids.ts';
import type { Agent, FilesystemMount } from '../../src/agent/port.ts';
import type { Snapshotter } from '../../src/snapshotter/port.ts';
import { openState } from '../../src/state/open-state.ts';
import { schema } from '../../src/state/schema.ts';
import type { StateStore } from '../../src/state/port.ts';
import type { Layer } from '../fixtures/layer.ts';
import { onOlderKernel } from '../fixtures/older-kernel.ts';
import { PrivateAgent } from '../native/private-agent.ts';

/** A snapshotter that also tells when its background work is done. */
export type SettlingSnapshotter = Snapshotter & { settled(): Promise<void> };

export interface SnapshotterParts {
  readonly stateRoot: string;
  readonly state: StateStore;
  readonly agent: Agent;
  readonly clock: typeof systemClock;
  readonly log: { warn(fields: object, message: string): void };
}

/** What implementations may differ in. */
export interface SnapshotterTraits {
  /** A mounted snapshot needs its parents' directories, and takes no space for what they hold. */
  readonly sharesLayers: boolean;
  /** What is mounted does not tell its directories, so that a cleanup leaves all alone. */
  readonly keepsAllWhileMounted?: boolean;
}

/** Where it is proved. */
export interface SnapshotterPlace {
  /** The agent has the system calls of an older kernel, see the fixture. */
  readonly olderKernel?: boolean;
  /** Below which everything is; a name of any characters. */
  readonly directory?: string;
}

/** Makes the implementation that is proved. */
export type OpenSnapshotter = (parts: SnapshotterParts) => SettlingSnapshotter;

export const key = (name: string): SnapshotKey => name as SnapshotKey;

const nothing = { bytes: 0, inodes: 0 };

/** A snapshotter on a real store and the real agent, in whose mount namespace everything is mounted. */
export class Harness {
  readonly agent: Agent;
  readonly warnings: string[] = [];
  readonly #open: OpenSnapshotter;
  readonly #scratch = mkdtempSync(join(tmpdir(), 'bs-'));
  readonly #dir: string;
  readonly #privateAgent: PrivateAgent;
  readonly #mounted = new Set<string>();
  #state: StateStore;
  #mounts = 0;
  snapshotter: SettlingSnapshotter;

  constructor(open: OpenSnapshotter, { olderKernel = false, directory = '' }: SnapshotterPlace) {
    this.#open = open;
    this.#dir = join(this.#scratch, directory);
    mkdirSync(this.#dir, { recursive: true });
    this.#privateAgent = new PrivateAgent(this.#scratch, olderKernel ? onOlderKernel : undefined);
    this.agent = this.#privateAgent.agent;
    this.#state = this.#openState();
    this.snapshotter = this.#start();
  }

  get stateRoot(): string {
    return join(this.#dir, 'state');
  }

  /** Opens everything again, as a new daemon would; `forgetful` with a store that has lost its records. */
  async restart({ forgetful = false } = {}): Promise<void> {
    await this.snapshotter.settled();
    this.#state.close();
    if (forgetful) for (const suffix of ['', '-wal', '-shm']) rmSync(join(this.stateRoot, `meta.db${suffix}`), { force: true });
    this.#state = this.#openState();
    this.snapshotter = this.#start();
  }

  /** Mounts a view and resolves with where it is. */
  async mount(mounts: readonly FilesystemMount[]): Promise<string> {
    const target = join(this.#dir, `m${(this.#mounts += 1)}`);
    mkdirSync(target);
    this.#mounted.add(target);
    for (const mount of mounts) await this.agent.mount(mount, target);
    return target;
  }

  async unmount(target: string): Promise<void> {
    await this.agent.unmount(target);
    this.#mounted.delete(target);
  }

  /** Runs a shell script where the mounts are; resolves with its output. Fails when it does. */
  async sh(script: string, ...args: readonly string[]): Promise<string> {
    const { stdout, stderr, exitCode } = await this.agent.exec({ argv: ['/bin/sh', '-ec', script, 'sh', ...args], env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } });
    if (exitCode !== 0) throw new Error(`exit code ${exitCode}: ${Buffer.from(stderr).toString()}`);
    return Buffer.from(stdout).toString().trim();
  }

  /** Runs a script inside a mounted view of the snapshot. */
  async inside(name: string, script: string): Promise<string> {
    const target = await this.mount(this.snapshotter.mounts(key(name)));
    try {
      return await this.sh(`cd "$1"; ${script}`, target);
    } finally {
      await this.unmount(target);
    }
  }

  /** A committed snapshot whose files a script makes. */
  async layer(name: string, parent: string | undefined, script: string): Promise<void> {
    await this.snapshotter.prepare(key(`making-${name}`), parent === undefined ? undefined : key(parent));
    await this.inside(`making-${name}`, script);
    await this.snapshotter.commit(key(`making-${name}`), key(name), nothing);
  }

  /** A committed snapshot of a layer as registries hold it. */
  async unpack(name: string, parent: string | undefined, layer: Layer): Promise<void> {
    const { snapshotter } = this;
    const blob = join(this.#dir, 'blob');
    writeFileSync(blob, layer.bytes);
    await snapshotter.prepare(key(`unpack-${name}`), parent === undefined ? undefined : key(parent));
    const { mediaType } = layer.descriptor;
    const result = await this.agent.unpack({ id: name, blob, mediaType, diffId: layer.diffId, ...snapshotter.layerDirs(key(`unpack-${name}`)) });
    await snapshotter.commit(key(`unpack-${name}`), key(name), { bytes: result.diskBytes, inodes: result.inodes });
  }

  async close(): Promise<void> {
    await this.snapshotter.settled();
    for (const target of [...this.#mounted].toReversed()) await this.unmount(target);
    this.#state.close();
    await this.#privateAgent.close();
    rmSync(this.#scratch, { recursive: true });
  }

  #openState(): StateStore {
    return openState(this.stateRoot, { warn: this.#note, error: this.#note }, [schema]);
  }

  #start(): SettlingSnapshotter {
    const { stateRoot, agent } = this;
    return this.#open({ stateRoot, agent, state: this.#state, clock: systemClock, log: { warn: this.#note } });
  }

  readonly #note = (_fields: object, message: string): void => {
    this.warnings.push(message);
  };
}
