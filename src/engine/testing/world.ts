import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../lib/clock.ts';
import type { SnapshotKey } from '../../lib/ids.ts';
import type { EngineConfig } from '../config.ts';
import { createEngine, type RunningEngine } from '../engine.ts';
import type { Operation } from '../observer.ts';
import { FakeAgent } from './fake-agent.ts';
import { fakeImage, FakeImages } from './fake-images.ts';
import { FakeNri } from './fake-nri.ts';
import { FakeNetwork } from './fake-network.ts';
import { FakeShims } from './fake-shims.ts';
import { FakeSnapshotter } from './fake-snapshotter.ts';
import { Faults } from './faults.ts';
import { MemoryState } from './memory-state.ts';

const filesBelow = (directory: string): readonly string[] => (existsSync(directory) ? readdirSync(directory) : []);

/** A node with fake drivers that outlive the engines which run on it. */
export class World {
  readonly root = mkdtempSync(join(tmpdir(), 'berth-engine-'));
  readonly agent = new FakeAgent();
  readonly network = new FakeNetwork();
  readonly snapshotter = new FakeSnapshotter();
  readonly images = new FakeImages();
  readonly shims = new FakeShims();
  readonly state = new MemoryState();
  readonly nri = new FakeNri();
  readonly phases: { readonly operation: Operation; readonly phase: string }[] = [];
  readonly operations: string[] = [];
  readonly exits: string[] = [];
  readonly warnings: string[] = [];
  readonly config: EngineConfig;
  readonly #engines: RunningEngine[] = [];

  constructor(config: Partial<EngineConfig> = {}, host: Partial<EngineConfig['host']> = {}) {
    this.snapshotter.snapshots.set('top' as SnapshotKey, { key: 'top' as SnapshotKey, kind: 'committed', parent: undefined, createdAtNs: 1n, usage: undefined, durable: false });
    this.images.images.push(fakeImage('app'));
    mkdirSync(join(this.root, 'cgroup/memory'), { recursive: true });
    const defaults = this.#defaults();
    this.config = { ...defaults, host: { ...defaults.host, ...host }, ...config };
  }

  /** An engine on this node; with `faults`, over drivers that can fail. */
  engine(faults = new Faults()): RunningEngine {
    const { agent, network, snapshotter, images, shims, state, nri } = this;
    const log = { info: () => undefined, warn: (_: unknown, message: string) => this.warnings.push(message), error: (_: unknown, message: string) => this.warnings.push(message) };
    const observer = {
      startPhase: (operation: Operation, phase: string) => this.phases.push({ operation, phase }),
      operation: (operation: Operation, outcome: string) => this.operations.push(`${operation} ${outcome}`),
      containerExited: (reason: string) => this.exits.push(reason),
    };
    const components = {
      agent: faults.wrap('agent', agent, ['createNamespaces', 'releaseNamespaces', 'mount', 'unmount', 'removeTree', 'readSnapshotFiles', 'resolveInSnapshot', 'copySnapshotTree', 'archive', 'extract']),
      network: faults.wrap('network', network, ['attach', 'detach']),
      snapshotter: faults.wrap('snapshotter', snapshotter, ['prepare', 'remove']),
      shims: faults.wrap('shims', shims, ['launch']),
      images,
      state,
      nri,
      clock: systemClock,
      log,
      observer,
    };
    const engine = createEngine(components, this.config);
    this.#engines.push(engine);
    return engine;
  }

  /** Everything that is on the node besides images. */
  leftovers(): readonly string[] {
    const { agent, network, snapshotter, shims, state, config } = this;
    const named = (what: string, names: Iterable<string>): string[] => [...names].map((name) => `${what} ${name}`);
    return [
      ...named('record', state.keys()),
      ...named('namespaces', agent.namespaces.keys()),
      ...named('mount', agent.mounts.keys()),
      ...named('lease', network.leases.keys()),
      ...named('snapshot', [...snapshotter.snapshots.keys()].filter((key) => key !== 'top')),
      ...named('shim', shims.shims.keys()),
      ...named('run', [...filesBelow(join(config.runRoot, 'pods')), ...filesBelow(join(config.runRoot, 'containers'))]),
      ...named('state', filesBelow(join(config.stateRoot, 'containers'))),
      ...named('cgroup', filesBelow(join(config.cgroupRoot, 'memory/berth'))),
    ];
  }

  reboot(): void {
    this.agent.reboot();
    this.shims.reboot();
    this.state.rebooted = true;
    rmSync(this.config.runRoot, { recursive: true, force: true });
  }

  async close(): Promise<void> {
    await Promise.all(this.#engines.map((engine) => engine.close()));
    rmSync(this.root, { recursive: true, force: true });
  }

  #defaults(): EngineConfig {
    return {
      stateRoot: join(this.root, 'state'),
      runRoot: join(this.root, 'run'),
      defaultHandler: 'crun',
      snapshotters: {},
      cgroupDriver: 'cgroupfs',
      defaultCgroupParent: '/berth',
      maxLogLineBytes: 16_384,
      shmSizeBytes: 64 << 20,
      startConcurrency: 4,
      enableUnprivilegedPorts: true,
      enableUnprivilegedIcmp: true,
      restrictOomScoreAdj: false,
      cdiSpecDirs: [join(this.root, 'cdi')],
      deviceOwnershipFromSecurityContext: false,
      cgroupRoot: join(this.root, 'cgroup'),
      kernelRelease: '6.1.0',
      host: { cgroupVersion: 1, swapControl: true, hugetlbControl: false, apparmor: false, selinux: false, minOomScoreAdj: -1000, boundingCapabilities: (1n << 41n) - 1n },
    };
  }
}
