import type { IdMapping } from '../id-mapping.ts';
import type { SelinuxLabels } from './selinux.ts';
import type { OciDevice, OciSeccomp } from './types.ts';

/** What the host offers; read once at start, so that building a spec stays a pure function. */
export interface HostFacts {
  readonly cgroupVersion: 1 | 2;
  /** Swap limits can be written (v1: memory.memsw.*, v2: memory.swap.max). */
  readonly swapControl: boolean;
  readonly hugetlbControl: boolean;
  readonly apparmor: boolean;
  readonly selinux: boolean;
  /** The lowest oom_score_adj that this process may give a child. */
  readonly minOomScoreAdj: number;
  /** Capabilities that this process can pass on, a bit for each number of capability.h. No container gets others. */
  readonly boundingCapabilities: bigint;
}

export type SpecNamespaceMode = 'pod' | 'container' | 'node' | 'target';

export interface NamespaceInput {
  /** Directory of the pod's pins: net, ipc, uts, pid, user. */
  readonly pinDir: string;
  readonly network: SpecNamespaceMode;
  readonly pid: SpecNamespaceMode;
  readonly ipc: SpecNamespaceMode;
  /** Pid of the container joined by `pid: 'target'`. */
  readonly targetPid: number | undefined;
  /** undefined: the host's user namespace. */
  readonly user: { readonly uidMappings: readonly IdMapping[]; readonly gidMappings: readonly IdMapping[] } | undefined;
}

export interface ImageDefaults {
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly env: readonly string[];
  readonly workingDir: string;
}

export interface ProcessInput {
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly workingDir: string;
  readonly envs: readonly { readonly key: string; readonly value: string }[];
  readonly tty: boolean;
  readonly image: ImageDefaults;
  /** Value of HOSTNAME; empty leaves it out. */
  readonly hostname: string;
  readonly user: { readonly uid: number; readonly gid: number; readonly groups: readonly number[] };
}

export interface CapabilityInput {
  readonly add: readonly string[];
  readonly drop: readonly string[];
  readonly addAmbient: readonly string[];
}

export interface ProfileInput {
  readonly type: 'runtime-default' | 'unconfined' | 'localhost';
  readonly localhostRef: string;
}

export interface SecurityInput {
  readonly privileged: boolean;
  readonly readonlyRootfs: boolean;
  readonly noNewPrivileges: boolean;
  readonly capabilities: CapabilityInput | undefined;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
}

export interface ResourceInput {
  readonly cpuPeriod: number | undefined;
  readonly cpuQuota: number | undefined;
  readonly cpuShares: number | undefined;
  readonly cpusetCpus: string | undefined;
  readonly cpusetMems: string | undefined;
  readonly memoryLimitBytes: number | undefined;
  readonly memorySwapLimitBytes: number | undefined;
  readonly oomScoreAdj: number | undefined;
  readonly hugepageLimits: readonly { readonly pageSize: string; readonly limit: bigint }[];
  readonly unified: Readonly<Record<string, string>>;
}

/** A bind mount whose source exists and has its symlinks resolved. */
export interface BindInput {
  readonly destination: string;
  readonly source: string;
  readonly readonly: boolean;
  readonly recursiveReadOnly: boolean;
  readonly propagation: 'private' | 'host-to-container' | 'bidirectional';
  readonly uidMappings: readonly IdMapping[];
  readonly gidMappings: readonly IdMapping[];
  /** Further flags of the mount, in mount(8) words. */
  readonly options?: readonly string[];
}

/** Host files of the pod that every container sees unless its own mounts say otherwise. */
export interface PodFiles {
  readonly hostname: string;
  readonly hosts: string;
  readonly resolvConf: string;
  /** The pod's shared memory, or the host's /dev/shm. */
  readonly shm: string;
}

export interface SpecInput {
  readonly containerId: string;
  /** Passed as it is to the runtime: a path for cgroupfs, `slice:prefix:name` for systemd (see cgroupsPath()). */
  readonly cgroupsPath: string;
  /** Relative to the bundle. */
  readonly rootfs: string;
  readonly process: ProcessInput;
  readonly security: SecurityInput;
  readonly resources: ResourceInput;
  readonly namespaces: NamespaceInput;
  readonly files: PodFiles;
  readonly binds: readonly BindInput[];
  /** Devices asked for, or all of the host's for a privileged container. */
  readonly devices: readonly { readonly device: OciDevice; readonly access: string }[];
  /** Already chosen and filtered (see seccompFor()); undefined: unconfined. */
  readonly seccomp: OciSeccomp | undefined;
  /** Already chosen (see apparmorFor()); undefined: none. */
  readonly apparmorProfile: string | undefined;
  /** undefined: the node has no SELinux. */
  readonly selinux: SelinuxLabels | undefined;
  readonly annotations: Readonly<Record<string, string>>;
  readonly host: HostFacts;
}
