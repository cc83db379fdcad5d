import { dirname, join } from 'node:path';
import { createNetwork } from '../cni/network.ts';
import type { Network } from '../cni/port.ts';
import { cgroupDriver } from '../config/cgroup-driver.ts';
import { groupId } from '../config/group-id.ts';
import type { Config } from '../config/schema.ts';
import { CriServer } from '../cri/server.ts';
import { ReadyGate } from '../doors/ready-gate.ts';
import { OperatorServer } from '../operator/operator-server.ts';
import { createEngine, type RunningEngine } from '../engine/engine.ts';
import type { Engine } from '../engine/port.ts';
import { openImageService, type ImageStore } from '../images/image-service.ts';
import { migrations } from './migrations.ts';
import { systemClock as clock } from '../lib/clock.ts';
import { readHostFacts } from '../lib/host-facts.ts';
import { makeDirectory } from '../lib/make-directory.ts';
import { collectFrom } from '../metrics/collect.ts';
import { MetricsServer } from '../metrics/metrics-server.ts';
import { collectProcess } from '../metrics/process-metrics.ts';
import { createMetrics, type Metrics } from '../metrics/registry.ts';
import { AgentClient } from '../agent/agent-client.ts';
import { AgentSupervisor } from '../agent/agent-supervisor.ts';
import type { Agent } from '../agent/port.ts';
import { NriPlugins } from '../nri/nri-plugins.ts';
import type { ShimLauncher } from '../shim/port.ts';
import { TtrpcShimLauncher } from '../shim/shim-launcher.ts';
import { openSnapshotters } from '../snapshotter/open-snapshotters.ts';
import type { Snapshotters } from '../snapshotter/port.ts';
import { lockRoot } from '../state/lock-root.ts';
import { openState } from '../state/open-state.ts';
import type { StateStore } from '../state/port.ts';
import { StreamingServer } from '../remotecommand/streaming-server.ts';
import type { Logger } from '../telemetry/log.ts';
import { startTracing } from '../telemetry/start-tracing.ts';
import { daemonInfo } from './daemon-info.ts';
import { findPrograms, type Programs } from './programs.ts';
import { scrapeSource } from './scrape-source.ts';
import { engineSettings, imageSettings, nriSettings, runtimeHandlers, streamingSettings } from './settings.ts';
import type { Shutdown } from './shutdown.ts';
import { packageVersion } from '../lib/version.ts';

/** What every step of the composition needs. */
interface Base {
  readonly config: Config;
  readonly log: Logger;
  readonly shutdown: Shutdown;
  readonly programs: Programs;
  readonly metrics: Metrics;
}

interface Drivers {
  readonly supervisor: AgentSupervisor;
  readonly agent: Agent;
  readonly state: StateStore;
  readonly snapshotter: Snapshotters;
  readonly images: ImageStore;
  readonly shims: ShimLauncher;
  readonly network: Network;
}

export interface Composition {
  readonly agent: Agent;
  readonly engine: RunningEngine;
  readonly metrics: Metrics;
  /** Closed at first. */
  readonly gate: ReadyGate;
  readonly images: ImageStore;
  readonly streaming: StreamingServer;
}

/** Constructs every part of the daemon and opens its sockets, which answer "unavailable" until the gate is opened. */
export async function compose(config: Config, log: Logger, shutdown: Shutdown): Promise<Composition> {
  const programs = findPrograms(config);
  claimRoots(config, shutdown);
  makeSocketDirectories(config);
  const metrics = createMetrics();
  shutdown.add('tracing', await startTracing(config.tracing, metrics.spansLost));
  const base: Base = { config, log, shutdown, programs, metrics };
  const drivers = await openDrivers(base);
  const nri = new NriPlugins(log.child({ part: 'nri' }), nriSettings(config, packageVersion()));
  const host = readHostFacts();
  if (!host.apparmor) log.info({ lack: host.apparmorLack }, 'containers run without AppArmor on this node');
  const engine = createEngine({ ...drivers, nri, clock, log: log.child({ part: 'engine' }), observer: base.metrics }, engineSettings(config, host));
  shutdown.add('engine', async () => engine.close());
  shutdown.add('NRI plugins', async () => nri.close());
  const gate = new ReadyGate();
  const streaming = await openDoors(base, { ...drivers, engine, gate });
  return { agent: drivers.agent, engine, metrics: base.metrics, gate, images: drivers.images, streaming };
}

/** Two daemons on one root would undo each other's work, so both roots are locked before anything in them is touched. */
function claimRoots({ stateRoot, runRoot }: Config, shutdown: Shutdown): void {
  for (const [key, root] of Object.entries({ state_root: stateRoot, run_root: runRoot })) {
    // Not 0700: containers in user namespaces must get through to their files.
    makeDirectory(root, 0o711, key);
    const lock = lockRoot(root);
    shutdown.add(`lock of ${root}`, () => {
      lock.release();
    });
  }
}

/** Sockets may be anywhere. The directories are for their clients, too, and each socket has a mode of its own. */
function makeSocketDirectories({ cri, metrics }: Config): void {
  makeDirectory(dirname(cri.socket), 0o755, '[cri] socket');
  if (metrics.listen.startsWith('/')) makeDirectory(dirname(metrics.listen), 0o755, '[metrics] listen');
}

async function openDrivers({ config, log, shutdown, programs, metrics }: Base): Promise<Drivers> {
  const state = openState(config.stateRoot, log.child({ part: 'state' }), migrations);
  shutdown.add('state', () => {
    state.close();
  });
  const supervisor = new AgentSupervisor({ log: log.child({ part: 'agent' }) }, { path: programs.agent, root: config.stateRoot });
  supervisor.start();
  shutdown.add('agent', async () => supervisor.close());
  const agent = new AgentClient({ supervisor }, { pausePath: programs.pause });
  const snapshotter = openSnapshotters({ state, agent, clock, log: log.child({ part: 'snapshotter' }) }, { stateRoot: config.stateRoot, volatile: config.snapshotter.volatile });
  const images = await openImageService({ stateRoot: config.stateRoot, snapshotters: snapshotter, agent, state, clock, log: log.child({ part: 'images' }), observer: metrics, config: imageSettings(config) });
  shutdown.add('images', async () => images.close());
  const shims = new TtrpcShimLauncher({ agent, clock }, { handlers: runtimeHandlers(config, programs.shim), runRoot: config.runRoot, berthShim: programs.shim });
  await shims.open();
  shutdown.add('shims', async () => shims.close());
  const network = createNetwork(
    { agent, log: log.child({ part: 'cni' }), observer: metrics },
    { confDir: config.cni.confDir, binDirs: config.cni.binDirs, environment: process.env },
  );
  shutdown.add('network', () => {
    network.close();
  });
  return { supervisor, agent, state, snapshotter, images, shims, network };
}

interface Served extends Drivers {
  readonly engine: RunningEngine;
  readonly gate: ReadyGate;
}

async function openDoors(base: Base, { engine, gate, snapshotter, supervisor }: Served): Promise<StreamingServer> {
  const { config, log, shutdown, metrics } = base;
  const version = packageVersion();
  const ofKubelet = engine.of('cri');
  const streaming = await openStreaming(base, ofKubelet);
  const cri = new CriServer(
    { engine: ofKubelet, config, version, streaming },
    { gate, metrics, log: log.child({ part: 'cri' }) },
    { path: config.cri.socket, mode: config.cri.mode, gid: groupId(config.cri.group) },
  );
  await cri.listen();
  shutdown.add('CRI socket', async () => cri.close(config.limits.drainTimeout));
  const info = daemonInfo({ engine, gate, agent: supervisor, version, config, cgroupDriver: cgroupDriver(config) });
  const operator = new OperatorServer({ engine, log: log.child({ part: 'operator' }), info }, join(config.runRoot, 'debug.sock'));
  await operator.listen();
  shutdown.add('operator socket', async () => operator.close());
  collectFrom(metrics.registry, scrapeSource({ engine, snapshotter, agent: supervisor }));
  collectProcess(metrics.registry);
  if (config.metrics.listen !== '') await serveMetrics(base, gate);
  return streaming;
}

/** Sessions of people end when they like; a restart waits no longer for them than a person would notice. */
const sessionDrainMs = 2000;

async function openStreaming({ config, log, shutdown }: Base, engine: Engine): Promise<StreamingServer> {
  const streaming = new StreamingServer({ engine, clock, log: log.child({ part: 'streaming' }) }, streamingSettings(config));
  await streaming.listen();
  shutdown.add('streaming', async () => streaming.close(Math.min(sessionDrainMs, config.limits.drainTimeout)));
  return streaming;
}

async function serveMetrics({ config, metrics, shutdown }: Base, gate: ReadyGate): Promise<void> {
  const server = new MetricsServer(metrics.registry, { listen: config.metrics.listen, healthy: () => gate.isOpen });
  await server.listen();
  shutdown.add('metrics', async () => server.close());
}
