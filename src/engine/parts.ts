import type { ContainerId, PodId } from '../lib/ids.ts';
import { KeyedMutex } from '../lib/keyed-mutex.ts';
import type { CgroupStats } from '../agent/port.ts';
import { AgentHealth } from './agent-health.ts';
import { Apparmor } from './apparmor/apparmor.ts';
import { Background } from './background.ts';
import type { EngineComponents } from './components.ts';
import type { EngineConfig } from './config.ts';
import { AccountCache } from './spec/account-cache.ts';
import { ContainerStore } from './stores/container-store.ts';
import { TaskTable } from './stores/task-table.ts';
import { FactHub } from './facts/fact-hub.ts';
import { HostPaths } from './host-paths.ts';
import { ImageCollector } from './gc/image-collector.ts';
import { FeatureTable } from './handlers/feature-table.ts';
import type { RestoredPod } from './model/checkpoint.ts';
import type { Container } from './model/container.ts';
import type { Pod } from './model/pod.ts';
import { oomFloor } from './oom-floor.ts';
import { EnginePaths } from './paths.ts';
import { Places } from '../lib/places.ts';
import { PluginLedger } from './plugins/plugin-ledger.ts';
import { PodStore } from './stores/pod-store.ts';
import { Selinux } from './selinux/selinux.ts';
import { SingleFlight } from '../lib/single-flight.ts';
import { CpuRates } from './stats/cpu-rates.ts';
import { LayerUsages } from './stats/layer-usages.ts';
import { writtenUsage } from './stats/written-usage.ts';

/** What every verb works with. */
export interface EngineParts extends EngineComponents {
  readonly config: EngineConfig;
  readonly paths: EnginePaths;
  readonly pods: PodStore;
  readonly containers: ContainerStore;
  readonly tasks: TaskTable;
  readonly facts: FactHub;
  readonly hostPaths: HostPaths;
  readonly accounts: AccountCache;
  readonly apparmor: Apparmor;
  readonly selinux: Selinux;
  readonly features: FeatureTable;
  readonly background: Background;
  readonly collector: ImageCollector;
  readonly health: AgentHealth;
  readonly cpuRates: CpuRates;
  readonly layerUsages: LayerUsages;
  /** Held while a pod's network and namespaces are released. Never over a grace period or an exit. */
  readonly podLocks: KeyedMutex<PodId>;
  /** Held while a container starts, changes or goes. Never over a grace period or an exit. */
  readonly containerLocks: KeyedMutex<ContainerId>;
  /** Held while a container starts whose PID namespace others are in, by that namespace. */
  readonly pidSpaceLocks: KeyedMutex<ContainerId | PodId>;
  readonly ledger: PluginLedger;
  /** Held while a container's processes are written down. */
  readonly checkpointLocks: KeyedMutex<ContainerId>;
  readonly restoreFlights: SingleFlight<RestoredPod>;
  readonly podFlights: SingleFlight<Pod>;
  readonly creationFlights: SingleFlight<Container>;
  readonly removalFlights: SingleFlight<void>;
  readonly startPlaces: Places;
  /** Statistics that foreign shims are asked for. */
  readonly shimReadFlights: SingleFlight<CgroupStats>;
}

export function createParts(components: EngineComponents, config: EngineConfig): EngineParts {
  const background = new Background(components.log);
  const paths = new EnginePaths(config);
  return {
    ...components,
    config: { ...config, host: { ...config.host, minOomScoreAdj: oomFloor(config.restrictOomScoreAdj, config.host) } },
    paths,
    pods: PodStore.open(components.state),
    containers: ContainerStore.open(components.state),
    tasks: new TaskTable(),
    facts: new FactHub(components.log),
    hostPaths: new HostPaths(components.agent),
    accounts: new AccountCache(),
    apparmor: new Apparmor(config.host.apparmor),
    selinux: new Selinux(config.host.selinux),
    features: new FeatureTable(),
    background,
    collector: new ImageCollector(components.images, background),
    health: new AgentHealth(components.agent, background),
    cpuRates: new CpuRates(),
    layerUsages: new LayerUsages((id, signal) => writtenUsage(components, paths, id, signal), background, components.log),
    podLocks: new KeyedMutex(),
    containerLocks: new KeyedMutex(),
    pidSpaceLocks: new KeyedMutex(),
    ledger: new PluginLedger(),
    checkpointLocks: new KeyedMutex(),
    restoreFlights: new SingleFlight(),
    podFlights: new SingleFlight(),
    creationFlights: new SingleFlight(),
    removalFlights: new SingleFlight(),
    startPlaces: new Places(config.startConcurrency),
    shimReadFlights: new SingleFlight(),
  };
}
