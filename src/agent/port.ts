import type { Duplex } from 'node:stream';
import type { IdMapping } from '../oci/id-mapping.ts';

/** A mount without its target, in mount(8) words, as containerd's shims and our agent take it. */
export interface FilesystemMount {
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

export interface ExecRequest {
  readonly argv: readonly [string, ...string[]];
  /** The child's whole environment, but for the agent's own mark. Never logged. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: Uint8Array;
  readonly timeoutMs?: number;
  /** The child may leave processes behind (a shim); otherwise an agent that starts waits for what the last one left running. */
  readonly detached?: boolean;
}

export interface ExecResult {
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly exitCode: number;
}

export interface NamespaceRequest {
  /** Pins are made at `<dir>/net`, `ipc`, `uts`, `user` and `pid`. */
  readonly dir: string;
  readonly net: boolean;
  readonly ipc: boolean;
  readonly uts: boolean;
  readonly pid: boolean;
  readonly uidMappings: readonly IdMapping[];
  readonly gidMappings: readonly IdMapping[];
  readonly hostname: string;
  readonly sysctls: Readonly<Record<string, string>>;
  /** Where the pause process is accounted when `pid` is set. */
  readonly pauseCgroups: readonly string[];
}

/** What createNamespaces made. */
export interface HeldNamespaces {
  readonly dir: string;
  /** 0 when it is not known or there is none. */
  readonly pausePid: number;
  /** Everything in them is killed. */
  readonly pauseCgroups?: readonly string[];
}

export interface InterfaceStats {
  readonly name: string;
  readonly rxBytes: bigint;
  readonly rxPackets: bigint;
  readonly rxErrors: bigint;
  readonly rxDropped: bigint;
  readonly txBytes: bigint;
  readonly txPackets: bigint;
  readonly txErrors: bigint;
  readonly txDropped: bigint;
}

/**
 * What the kernel, or a shim where the kernel is another one, counts for a cgroup. It means the same in both cgroup
 * versions; undefined is what a version or a kernel does not tell, and for a limit: none.
 */
export interface CgroupStats {
  readonly timestampNs: bigint;
  readonly cpu: CpuStats;
  readonly memory: MemoryStats;
  /** `current` counts threads, as `limit` does, which is 0 when there is none. */
  readonly pids: { readonly current: bigint; readonly limit: bigint; readonly processes: bigint };
  readonly io: readonly IoStats[];
  readonly hugetlb: readonly { readonly pageSize: string; readonly usageBytes: bigint; readonly maxUsageBytes?: bigint | undefined }[];
  readonly pressure: PressureStats | undefined;
  /** Only where it was asked for. Sums over more processes than the agent wants to look at are undefined. */
  readonly processes: { readonly fileDescriptors?: bigint; readonly sockets?: bigint; readonly openFilesLimit?: bigint } | undefined;
}

export interface CpuStats {
  readonly usageNs: bigint;
  readonly userNs: bigint;
  readonly systemNs: bigint;
  readonly periods: bigint;
  readonly throttledPeriods: bigint;
  readonly throttledNs: bigint;
  readonly shares?: bigint | undefined;
  readonly quotaUs?: bigint | undefined;
  readonly periodUs?: bigint | undefined;
}

export interface MemoryStats {
  readonly usageBytes: bigint;
  readonly workingSetBytes: bigint;
  readonly rssBytes: bigint;
  readonly cacheBytes: bigint;
  readonly mappedFileBytes: bigint;
  readonly maxUsageBytes: bigint;
  readonly failcnt: bigint;
  readonly pageFaults: bigint;
  readonly majorPageFaults: bigint;
  readonly swapUsageBytes: bigint;
  readonly kernelBytes: bigint;
  readonly oomKills: bigint;
  /** Without those of cgroups below. */
  readonly ownPageFaults: bigint;
  readonly ownMajorPageFaults: bigint;
  readonly limitBytes?: bigint | undefined;
  /** Swap alone, in both versions. */
  readonly swapLimitBytes?: bigint | undefined;
  readonly reservationBytes?: bigint | undefined;
}

export interface IoStats {
  /** `/dev/NAME`, or `major:minor`. */
  readonly device: string;
  readonly major: bigint;
  readonly minor: bigint;
  readonly readBytes: bigint;
  readonly writeBytes: bigint;
  readonly reads: bigint;
  readonly writes: bigint;
}

/** Per cent of the last 10, 60 and 300 seconds, and microseconds ever since. */
export interface PressureLine {
  readonly avg10: number;
  readonly avg60: number;
  readonly avg300: number;
  readonly totalUs: bigint;
}

/** How long some, or all, of the processes waited. */
export interface Pressure {
  readonly some: PressureLine | null;
  readonly full: PressureLine | null;
}

export interface PressureStats {
  readonly cpu: Pressure | null;
  readonly memory: Pressure | null;
  readonly io: Pressure | null;
}

export interface CgroupQuery {
  /** As in a spec's linux.cgroupsPath. */
  readonly cgroupsPath: string;
  /** Of the process whose limits are told; ignored when it is not in the cgroup. */
  readonly pid: number;
}

export interface CgroupReading {
  /** Below the mount point. */
  readonly path: string;
  readonly stats: CgroupStats;
}

export interface FilesystemStats {
  /** `/dev/NAME`, or `major:minor`. */
  readonly device: string;
  readonly bytes: bigint;
  readonly inodes: bigint;
  readonly inodesFree: bigint;
}

export interface LookRequest {
  readonly path: string;
  /** Directories are made (0755) where there is nothing. */
  readonly makeDirectory?: boolean;
  /** Bytes of a regular file's content that are read. */
  readonly maxBytes?: number;
  /** Lists the device nodes at the path, or below it when it is a directory. */
  readonly devices?: boolean;
}

/** What is at a path of the host. */
export interface HostPath {
  /** Free of links, `.` and `..`; empty when nothing is there. */
  readonly path: string;
  /** Why the path cannot be followed, made or read; all else is empty then. */
  readonly problem: string;
  /** `file`, `directory`, `device` or `other`; empty where there is a problem. */
  readonly kind: string;
  readonly content: Uint8Array;
  readonly devices: readonly HostDevice[];
}

export interface HostDevice {
  /** Below the path that was asked for; empty for itself. */
  readonly path: string;
  readonly block: boolean;
  readonly major: number;
  readonly minor: number;
  /** Its permissions. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface ForwardRequest {
  /** A pinned network namespace; empty: the host's. */
  readonly netnsPath: string;
  readonly port: number;
  /** Where a socket is made on which agent and berthd meet; made if absent. Short: unix socket paths end at 107 bytes. */
  readonly socketDir: string;
}

export interface UnpackRequest {
  readonly id: string;
  readonly blob: string;
  readonly mediaType: string;
  readonly diffId: string;
  readonly dir: string;
  /** Layer directories below, topmost first. */
  readonly parents: readonly string[];
}

export interface UnpackResult {
  readonly bytes: number;
  readonly inodes: number;
  readonly diskBytes: number;
  readonly micros: Readonly<Record<string, number>>;
}

export interface ArchiveRequest {
  readonly source: string;
  readonly target: string;
  readonly overlayUpper: boolean;
}

export interface ExtractRequest {
  readonly archive: string;
  readonly dir: string;
  /** Layer directories below, topmost first. */
  readonly parents: readonly string[];
}

export interface Usage {
  readonly bytes: number;
  readonly inodes: number;
}

export interface AgentInfo {
  readonly version: string;
  readonly pid: number;
  /** Layers on the state root's filesystem can be shown with the owners of a user namespace. */
  readonly idmappedMounts: boolean;
  readonly cgroupMode: 'legacy' | 'hybrid' | 'unified';
}

/**
 * berth-agent as the drivers see it: everything that forks, mounts or enters a namespace. Calls fail `unavailable` while
 * the agent is being restarted; every undoing call is idempotent, so callers repeat it.
 */
export interface Agent {
  info(signal?: AbortSignal): Promise<AgentInfo>;
  /** When the signal aborts, the program has one more second and is killed then; settles once it is gone, or stuck in the kernel. */
  exec(request: ExecRequest, signal?: AbortSignal): Promise<ExecResult>;
  createNamespaces(request: NamespaceRequest, signal?: AbortSignal): Promise<{ readonly pausePid: number }>;
  releaseNamespaces(held: HeldNamespaces, signal?: AbortSignal): Promise<void>;
  /** Writes sysctls below `net` in a pinned network namespace, by name with dots or slashes. */
  writeSysctls(netnsPath: string, sysctls: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<void>;
  networkStats(netnsPath: string, signal?: AbortSignal): Promise<readonly InterfaceStats[]>;
  /** One reading for each query, undefined where there is no such cgroup. `processes` looks at every process too. */
  readCgroups(queries: readonly CgroupQuery[], options: { readonly processes: boolean }, signal?: AbortSignal): Promise<readonly (CgroupReading | undefined)[]>;
  statFilesystem(path: string, signal?: AbortSignal): Promise<FilesystemStats>;
  /** Follows a path of the host. Never settles when its file system does not answer, and then holds one of a few threads: see HostPaths. */
  lookAtPath(request: LookRequest): Promise<HostPath>;
  /** Connects to a port on the namespace's loopback interface; each side half-closes. Fails `precondition` when nothing listens there. */
  forwardPort(request: ForwardRequest, signal?: AbortSignal): Promise<Duplex>;
  /** Makes a directory that only root may enter, and FIFOs in it. Nothing is left when it fails. */
  makeFifos(dir: string, names: readonly string[], signal?: AbortSignal): Promise<void>;
  /** Makes the move of a new container's process into its cgroup cheap for some milliseconds; see the contract. */
  warmCgroups(signal?: AbortSignal): Promise<void>;
  mount(mount: FilesystemMount, target: string, signal?: AbortSignal): Promise<void>;
  unmount(target: string, signal?: AbortSignal): Promise<void>;
  unpack(request: UnpackRequest, signal?: AbortSignal): Promise<UnpackResult>;
  /** Writes what is in a directory as a tar file that must not exist yet; of an overlay's upper directory it makes an image layer. */
  archive(request: ArchiveRequest, signal?: AbortSignal): Promise<void>;
  /** Unpacks a tar file that may be hostile into an empty directory, which a failure leaves empty. */
  extract(request: ExtractRequest, signal?: AbortSignal): Promise<void>;
  /** Carries out on a tree what an unpacked layer says, by moving its files there; syncs the tree. */
  mergeLayer(layer: string, target: string, signal?: AbortSignal): Promise<void>;
  removeTree(path: string, signal?: AbortSignal): Promise<void>;
  diskUsage(paths: readonly string[], signal?: AbortSignal): Promise<readonly Usage[]>;
  /** `undefined` for a path that is absent or not a regular file. Fails `invalid` on one of more than 10 MiB. */
  readSnapshotFiles(
    mounts: readonly FilesystemMount[],
    paths: readonly string[],
    signal?: AbortSignal,
  ): Promise<readonly (Uint8Array | undefined)[]>;
  /** Where paths lead inside of a snapshot: absolute and free of links. What is absent leads to itself. */
  resolveInSnapshot(mounts: readonly FilesystemMount[], paths: readonly string[], signal?: AbortSignal): Promise<readonly string[]>;
  copySnapshotTree(mounts: readonly FilesystemMount[], from: { readonly path: string; readonly target: string }, signal?: AbortSignal): Promise<void>;
}
