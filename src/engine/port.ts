import type { ImageService } from '../images/port.ts';
import type { NetworkStatus } from '../cni/port.ts';
import type { ExecOutcome, RuntimeHandler } from '../shim/port.ts';
import type { CheckpointRequest, PodCheckpointRequest, RestoredPod, RestoreRequest } from './model/checkpoint.ts';
import type { Container, ContainerConfig, ContainerFilter, StandalonePlace } from './model/container.ts';
import type { Fact } from './model/fact.ts';
import type { Pod, PodConfig, PodEnvironment, PodFilter } from './model/pod.ts';
import type { OciSpec } from '../oci/runtime-spec/types.ts';
import type { LinuxResources } from './model/resources.ts';
import type { ContainerStats, Measurements, PodStats } from './model/stats.ts';
import type { PodConnection, Session, StreamChoice } from './model/session.ts';

export interface ExecSyncRequest {
  readonly containerId: string;
  readonly command: readonly string[];
  readonly timeoutMs: number | undefined;
}

export interface ExecRequest {
  readonly containerId: string;
  readonly command: readonly string[];
  readonly streams: StreamChoice;
}

export interface EngineStatus {
  readonly runtimeReady: boolean;
  readonly runtimeReason: string;
  readonly network: NetworkStatus;
  readonly handlers: readonly (RuntimeHandler & { readonly isDefault: boolean; readonly features: HandlerFeatures; readonly known: RuntimeVersion })[];
  readonly cgroupDriver: 'cgroupfs' | 'systemd';
  /** The running one, and the oldest that will do. */
  readonly kernel: { readonly release: string; readonly oldest: string };
}

/** From `<runtime> features`; false where the runtime does not tell. */
export interface HandlerFeatures {
  readonly recursiveReadOnlyMounts: boolean;
  readonly userNamespaces: boolean;
  /** The runtime has CRIU's support built in; whether CRIU itself is there, and knows the kernel, shows when it is used. */
  readonly checkpoints: boolean;
}

/** From `<runtime> --version`. */
export interface RuntimeVersion {
  /** The name and version, as `crun 1.8.1`; empty where the runtime does not tell, or is not known. */
  readonly version: string;
  /** The published vulnerabilities that this version falls under. */
  readonly advisories: readonly string[];
}

export interface PodService {
  /** Ready when it resolves. Nothing is left when it rejects, or the pod stays visible as notready. A retry of the same identity joins the running attempt. */
  run(config: PodConfig, signal: AbortSignal): Promise<Pod>;
  /** Idempotent; unknown ids are success. */
  stop(id: string, signal: AbortSignal): Promise<void>;
  /** Idempotent; unknown ids are success. */
  remove(id: string, signal: AbortSignal): Promise<void>;
  /** By id or unique prefix; undefined where there is none. */
  find(id: string): Pod | undefined;
  /** By id or unique prefix; throws `not-found`. */
  get(id: string): Pod;
  /** By id or unique prefix; throws `not-found`. */
  environment(id: string): PodEnvironment;
  list(filter?: PodFilter): readonly Pod[];
  stats(id: string, signal: AbortSignal): Promise<PodStats>;
  /** Ready pods only. */
  listStats(filter: PodFilter, signal: AbortSignal): Promise<readonly PodStats[]>;
  /** Pauses the containers, writes them all down and lets them run on. What it wrote is removed when it fails. */
  checkpoint(request: PodCheckpointRequest, signal: AbortSignal): Promise<void>;
  /** A new pod whose containers are created, and go on from the checkpoint when they are started. Nothing is left when it rejects. */
  restore(request: RestoreRequest, signal: AbortSignal): Promise<RestoredPod>;
  /** The statistics of every ready pod, with what /proc says of the processes in its containers. */
  measure(signal: AbortSignal): Promise<Measurements>;
  /** Connects to a port on the pod's loopback interface. Fails `precondition` when the pod is not ready or nothing listens there. The signal ends the connecting alone. */
  forward(id: string, port: number, signal: AbortSignal): Promise<PodConnection>;
  /** Records resources that the caller has already applied. */
  updateResources(id: string, update: { readonly overhead: LinuxResources | undefined; readonly resources: LinuxResources | undefined }, signal: AbortSignal): Promise<void>;
}

export interface ContainerService {
  create(podId: string, config: ContainerConfig, signal: AbortSignal): Promise<Container>;
  /**
   * A container outside the pods that a client made, see Place. Its name is unique among its owner's; what it writes and its record
   * survive a power cut.
   */
  createStandalone(place: StandalonePlace, config: ContainerConfig, signal: AbortSignal): Promise<Container>;
  /** In a given pod once; a standalone container again and again, each time with new namespaces. */
  start(id: string, signal: AbortSignal): Promise<void>;
  /** Stop signal, grace, SIGKILL; resolves when the exit is recorded. Idempotent; unknown ids are success. An aborted caller leads to no later SIGKILL. */
  stop(id: string, graceMs: number, signal: AbortSignal): Promise<void>;
  /** Freezes its processes until unpause() or its end, restarts of berthd included. Fails `precondition` unless it runs. */
  pause(id: string, signal: AbortSignal): Promise<void>;
  /** Fails `precondition` unless it is paused. */
  unpause(id: string, signal: AbortSignal): Promise<void>;
  /** Idempotent; unknown ids are success. */
  remove(id: string, signal: AbortSignal): Promise<void>;
  /** By id or unique prefix; throws `not-found`. */
  get(id: string): Container;
  /** The OCI spec that its program is or was run with, or will be. By id or unique prefix; throws `not-found`. undefined: the node was rebooted since. */
  spec(id: string): Promise<OciSpec | undefined>;
  list(filter?: ContainerFilter): readonly Container[];
  update(id: string, resources: LinuxResources, signal: AbortSignal): Promise<void>;
  reopenLog(id: string, signal: AbortSignal): Promise<void>;
  /** Writes a running container's processes and files into an archive, whole or not at all; it is paused meanwhile and runs on. */
  checkpoint(request: CheckpointRequest, signal: AbortSignal): Promise<void>;
  execSync(request: ExecSyncRequest, signal: AbortSignal): Promise<ExecOutcome>;
  /** Starts a process beside the container's own. The signal ends the starting; from then on the session is the caller's to close. */
  exec(request: ExecRequest, signal: AbortSignal): Promise<Session>;
  /** Joins the container's own streams. `tty` is the container's and not the caller's to choose; a container without a stdin leaves the session without one. */
  attach(id: string, streams: StreamChoice, signal: AbortSignal): Promise<Session>;
  stats(id: string, signal: AbortSignal): Promise<ContainerStats>;
  /** Running containers only; one that vanishes or hangs is left out. */
  listStats(filter: ContainerFilter, signal: AbortSignal): Promise<readonly ContainerStats[]>;
}

/** What a door sees of the engine: with its own pods and containers, see RunningEngine.of(). */
export interface Engine {
  readonly pods: PodService;
  readonly containers: ContainerService;
  readonly images: ImageService;
  status(): EngineStatus;
  /** Tells every fact from now on, at once, to a listener that waits for nobody and does not throw. */
  onFact(listener: (fact: Fact) => void): void;
}
