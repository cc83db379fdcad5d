import type { ContainerId, ImageId, PodId } from '../../lib/ids.ts';
import type { Phase } from '../../lib/waterfall.ts';
import type { TaskHandle } from '../../shim/port.ts';
import type { Owner } from './owner.ts';
import type { PodConfig } from './pod.ts';
import type { LinuxResources } from './resources.ts';
import type { SecurityContext } from './security.ts';
import type { IdMapping } from '../../oci/id-mapping.ts';

export type Propagation = 'private' | 'host-to-container' | 'bidirectional';

export interface ContainerMount {
  readonly containerPath: string;
  /** Empty for an image volume. */
  readonly hostPath: string;
  readonly readonly: boolean;
  readonly recursiveReadOnly: boolean;
  readonly selinuxRelabel: boolean;
  readonly propagation: Propagation;
  readonly uidMappings: readonly IdMapping[];
  readonly gidMappings: readonly IdMapping[];
  /** Image reference of an image volume; empty otherwise. */
  readonly image: string;
  readonly imageSubPath: string;
  /** Further flags of the bind mount, in mount(8) words. */
  readonly mountOptions?: readonly string[];
}

export interface ContainerDevice {
  readonly containerPath: string;
  readonly hostPath: string;
  readonly permissions: string;
}

export interface ContainerConfig {
  readonly name: string;
  readonly attempt: number;
  /** Reference as given; resolved locally, never pulled. */
  readonly image: string;
  /** What the user wrote in the pod spec; shown in status. May be empty. */
  readonly userSpecifiedImage: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly workingDir: string;
  readonly envs: readonly { readonly key: string; readonly value: string }[];
  readonly mounts: readonly ContainerMount[];
  readonly devices: readonly ContainerDevice[];
  readonly cdiDevices: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Relative to the pod's log directory; empty: output is discarded. */
  readonly logPath: string;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly tty: boolean;
  readonly resources: LinuxResources;
  readonly security: SecurityContext;
  /** Signal name such as SIGTERM; empty: the image's, else SIGTERM. */
  readonly stopSignal: string;
}

/**
 *                                      paused ──exit──┐
 *                                       ▲ ▼           ▼
 *   created ──start──▶ starting ──▶ running ──exit──▶ exited ──remove──▶ removing ──▶ (gone)
 *      │                  └─failure─────────────────────▲                    ▲
 *      └──────────────────────── remove ─────────────────────────────────────┘
 *   Unless its place is given: exited ──start──▶ starting, and a failed start leads back to where it came from.
 *   `paused`: a client wants its processes frozen. What freezes them for a moment (a checkpoint, a neighbour's start) is no state.
 *   `unknown`: after a restart nobody can tell; remove and stop still work.
 */
export type ContainerState = 'created' | 'starting' | 'running' | 'paused' | 'exited' | 'removing' | 'unknown';

/** Whether its program lives, as far as is known. */
export const isLive = ({ state }: { readonly state: ContainerState }): boolean => state === 'running' || state === 'paused';

export type ExitReason = 'Completed' | 'Error' | 'OOMKilled' | 'StartError' | 'Unknown' | 'NodeRebooted';

export interface ContainerExit {
  readonly exitCode: number;
  readonly finishedAtNs: bigint;
  readonly reason: ExitReason;
  readonly message: string;
}

/** uid, gid and groups that the main process runs with. */
export interface ContainerUser {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

/**
 * Where its namespaces come from: a `given` pod, into which it is born and whose runs are prepared at creation; a pod of its `own`,
 * which is ready from its start to its exit; or the pod that another container has for its own, which it `joined`. The latter two
 * are prepared at each start, may be started again, and survive a power cut.
 */
export type Place = 'given' | 'own' | 'joined';

/** A pod that is to be a new container's own, or the container whose own pod it is to share. */
export type StandalonePlace = { readonly own: PodConfig } | { readonly joins: string };

export interface Container {
  readonly id: ContainerId;
  readonly owner: Owner;
  readonly place: Place;
  readonly podId: PodId;
  readonly config: ContainerConfig;
  readonly state: ContainerState;
  readonly imageId: ImageId;
  /** Repo digest of the image, or its id when it has none. */
  readonly imageRef: string;
  readonly createdAtNs: bigint;
  /** How often it was started. */
  readonly runs: number;
  /** Of the last run, as are `exit`, `user`, `task` and `waterfall`. */
  readonly startedAtNs: bigint | undefined;
  readonly exit: ContainerExit | undefined;
  readonly user: ContainerUser;
  /** As asked, with later updates. */
  readonly resources: LinuxResources;
  readonly stopSignal: string;
  /** Absolute, or empty. */
  readonly logPath: string;
  readonly task: TaskHandle | undefined;
  /** It was paused before its state became unknown. */
  readonly wasPaused?: boolean;
  /** Directory of the checkpoint that its start goes on from; undefined: its program is run. */
  readonly restoreFrom: string | undefined;
  readonly waterfall: readonly Phase[];
}

/** What clients know of a state. */
export type ShownState = 'created' | 'running' | 'exited' | 'unknown';

/** A starting container is not running yet, a paused one still is, and one being removed is as good as exited. */
export function shownState(state: ContainerState): ShownState {
  if (state === 'starting') return 'created';
  if (state === 'paused') return 'running';
  return state === 'removing' ? 'exited' : state;
}

/** What is not given, or is empty, leaves out nothing. */
export interface ContainerFilter {
  /** Id or prefix. */
  readonly id?: string;
  /** Id or prefix of its pod's. */
  readonly podId?: string;
  readonly state?: ShownState | undefined;
  readonly labels?: Readonly<Record<string, string>>;
}
