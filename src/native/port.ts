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
  readonly overlayfs: boolean;
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
  exec(request: ExecRequest, signal?: AbortSignal): Promise<ExecResult>;
  createNamespaces(request: NamespaceRequest, signal?: AbortSignal): Promise<{ readonly pausePid: number }>;
  releaseNamespaces(dir: string, pausePid: number, signal?: AbortSignal): Promise<void>;
  networkStats(netnsPath: string, signal?: AbortSignal): Promise<readonly InterfaceStats[]>;
  /** Makes the move of a new container's process into its cgroup cheap for some milliseconds; see the contract. */
  warmCgroups(signal?: AbortSignal): Promise<void>;
  mount(mount: FilesystemMount, target: string, signal?: AbortSignal): Promise<void>;
  unmount(target: string, signal?: AbortSignal): Promise<void>;
  unpack(request: UnpackRequest, signal?: AbortSignal): Promise<UnpackResult>;
  /** Writes what is in a directory as a tar file that must not exist yet; of an overlay's upper directory it makes an image layer. */
  archive(request: ArchiveRequest, signal?: AbortSignal): Promise<void>;
  /** Unpacks a tar file that may be hostile into an empty directory, which a failure leaves empty. */
  extract(request: ExtractRequest, signal?: AbortSignal): Promise<void>;
  removeTree(path: string, signal?: AbortSignal): Promise<void>;
  diskUsage(paths: readonly string[], signal?: AbortSignal): Promise<readonly Usage[]>;
  /** `undefined` for a path that is absent or not a regular file. */
  readSnapshotFiles(
    mounts: readonly FilesystemMount[],
    paths: readonly string[],
    signal?: AbortSignal,
  ): Promise<readonly (Uint8Array | undefined)[]>;
  copySnapshotTree(mounts: readonly FilesystemMount[], from: { readonly path: string; readonly target: string }, signal?: AbortSignal): Promise<void>;
}
