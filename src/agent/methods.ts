import { ProtoFiles, protoDirectory } from '../lib/proto.ts';
import { method, type Method } from '../lib/ttrpc/method.ts';
import type { ArchiveRequest, CgroupQuery, CgroupStats, ExtractRequest, FilesystemMount, FilesystemStats, HeldNamespaces, HostPath, InterfaceStats, LookRequest, PressureStats } from './port.ts';

/** The messages of proto/berth/agent.proto as they go over the wire. */
interface ExecMessage {
  readonly argv: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly stdin: Uint8Array;
  readonly timeoutMs: number;
  readonly detached: boolean;
  readonly number: number;
}

interface IdMappingMessage {
  readonly containerId: number;
  readonly hostId: number;
  readonly length: number;
}

interface NamespacesMessage {
  readonly dir: string;
  readonly net: boolean;
  readonly ipc: boolean;
  readonly uts: boolean;
  readonly pid: boolean;
  readonly uidMappings: readonly IdMappingMessage[];
  readonly gidMappings: readonly IdMappingMessage[];
  readonly hostname: string;
  readonly sysctls: Readonly<Record<string, string>>;
  readonly pausePath: string;
  readonly pauseCgroups: readonly string[];
}

interface InfoAnswer {
  readonly version: string;
  readonly pid: number;
  readonly idmappedMounts: boolean;
  readonly cgroupMode: string;
}

interface UnpackMessage {
  readonly blob: string;
  readonly mediaType: string;
  readonly diffId: string;
  readonly dir: string;
  readonly parents: readonly string[];
  readonly id: string;
}

interface UnpackAnswer {
  readonly bytes: bigint;
  readonly inodes: bigint;
  readonly diskBytes: bigint;
  readonly micros: Readonly<Record<string, bigint>>;
}

/** As CgroupStats, with null for an absent message. */
export interface CgroupAnswer extends Omit<CgroupStats, 'cpu' | 'memory' | 'pids' | 'pressure' | 'processes'> {
  readonly found: boolean;
  readonly path: string;
  readonly cpu: CgroupStats['cpu'] | null;
  readonly memory: CgroupStats['memory'] | null;
  readonly pids: CgroupStats['pids'] | null;
  readonly pressure: PressureStats | null;
  readonly processes: NonNullable<CgroupStats['processes']> | null;
}

interface SnapshotMessage {
  readonly mounts: readonly FilesystemMount[];
}

type Empty = Readonly<Record<string, never>>;

export interface AgentMethods {
  readonly info: Method<Empty, InfoAnswer>;
  readonly exec: Method<ExecMessage, { readonly stdout: Uint8Array; readonly stderr: Uint8Array; readonly exitCode: number }>;
  readonly leaveExec: Method<{ readonly number: number }, Empty>;
  readonly createNamespaces: Method<NamespacesMessage, { readonly pausePid: number }>;
  readonly releaseNamespaces: Method<HeldNamespaces, Empty>;
  readonly writeSysctls: Method<{ readonly netnsPath: string; readonly sysctls: Readonly<Record<string, string>> }, object>;
  readonly networkStats: Method<{ readonly netnsPath: string }, { readonly interfaces: readonly InterfaceStats[] }>;
  readonly readCgroups: Method<{ readonly cgroups: readonly CgroupQuery[]; readonly processes: boolean }, { readonly readings: readonly CgroupAnswer[] }>;
  readonly statFilesystem: Method<{ readonly path: string }, FilesystemStats>;
  readonly lookAtPath: Method<Required<LookRequest>, HostPath>;
  readonly forwardPort: Method<{ readonly netnsPath: string; readonly port: number; readonly socket: string }, Empty>;
  readonly makeFifos: Method<{ readonly dir: string; readonly names: readonly string[] }, Empty>;
  readonly warmCgroups: Method<Empty, Empty>;
  readonly mount: Method<{ readonly mount: FilesystemMount; readonly target: string }, Empty>;
  readonly unmount: Method<{ readonly target: string }, Empty>;
  readonly unpack: Method<UnpackMessage, UnpackAnswer>;
  readonly archive: Method<ArchiveRequest, Empty>;
  readonly extract: Method<ExtractRequest, Empty>;
  readonly mergeLayer: Method<{ readonly layer: string; readonly target: string }, Empty>;
  readonly removeTree: Method<{ readonly path: string }, Empty>;
  readonly diskUsage: Method<{ readonly paths: readonly string[] }, { readonly usage: readonly { readonly bytes: bigint; readonly inodes: bigint }[] }>;
  readonly readSnapshotFiles: Method<
    SnapshotMessage & { readonly paths: readonly string[]; readonly offset: bigint },
    { readonly files: readonly { readonly found: boolean; readonly content: Uint8Array; readonly size: bigint }[] }
  >;
  readonly resolveInSnapshot: Method<SnapshotMessage & { readonly paths: readonly string[] }, { readonly paths: readonly string[] }>;
  readonly copySnapshotTree: Method<SnapshotMessage & { readonly path: string; readonly target: string }, Empty>;
}

/** Reads the agent's contract. */
export function agentMethods(): AgentMethods {
  const files = new ProtoFiles(protoDirectory, ['berth/agent.proto']);
  const of = <Request extends object, Response extends object>(name: string): Method<Request, Response> =>
    method<Request, Response>(files, 'berth.agent.v1.Agent', name);
  return {
    info: of('Info'),
    exec: of('Exec'),
    leaveExec: of('LeaveExec'),
    createNamespaces: of('CreateNamespaces'),
    releaseNamespaces: of('ReleaseNamespaces'),
    writeSysctls: of('WriteSysctls'),
    networkStats: of('NetworkStats'),
    readCgroups: of('ReadCgroups'),
    statFilesystem: of('StatFilesystem'),
    lookAtPath: of('LookAtPath'),
    forwardPort: of('ForwardPort'),
    makeFifos: of('MakeFifos'),
    warmCgroups: of('WarmCgroups'),
    mount: of('Mount'),
    unmount: of('Unmount'),
    unpack: of('Unpack'),
    archive: of('Archive'),
    extract: of('Extract'),
    mergeLayer: of('MergeLayer'),
    removeTree: of('RemoveTree'),
    diskUsage: of('DiskUsage'),
    readSnapshotFiles: of('ReadSnapshotFiles'),
    resolveInSnapshot: of('ResolveInSnapshot'),
    copySnapshotTree: of('CopySnapshotTree'),
  };
}
