import { globSync } from 'node:fs';
import { stringifyExactly } from '../lib/exact-json.ts';
import { type AnyMessage, type Codec, ProtoFiles, protoDirectory, type Timestamp } from '../lib/proto.ts';
import { method, type Method } from '../lib/ttrpc/method.ts';
import type { FilesystemMount } from '../agent/port.ts';
import type { CgroupV1Metrics, CgroupV2Metrics } from './cgroup-metrics.ts';

/** The messages of the shim interfaces as far as they are used here. */
export interface ProcessId {
  readonly id: string;
  /** Empty for the container's main process. */
  readonly execId: string;
}

export interface StdioPaths {
  readonly terminal: boolean;
  readonly stdin: string;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CreateMessage extends StdioPaths {
  readonly id: string;
  readonly bundle: string;
  readonly rootfs: readonly FilesystemMount[];
  readonly options: AnyMessage | null;
  /** Empty: the container's program is run. */
  readonly checkpoint: string;
}

export interface ExitAnswer {
  readonly exitStatus: number;
  readonly exitedAt: Timestamp | null;
}

export interface StateAnswer extends ExitAnswer {
  readonly pid: number;
  /** containerd.v1.types.Status. */
  readonly status: number;
}

type Empty = Readonly<Record<string, never>>;
type ById = { readonly id: string };

/** The Task service; versions 2 and 3 differ in their names alone. */
export interface TaskMethods {
  readonly create: Method<CreateMessage, { readonly pid: number }>;
  readonly start: Method<ProcessId, { readonly pid: number }>;
  readonly state: Method<ProcessId, StateAnswer>;
  readonly wait: Method<ProcessId, ExitAnswer>;
  readonly kill: Method<ProcessId & { readonly signal: number; readonly all: boolean }, Empty>;
  readonly exec: Method<ProcessId & StdioPaths & { readonly spec: AnyMessage }, Empty>;
  readonly resizePty: Method<ProcessId & { readonly width: number; readonly height: number }, Empty>;
  readonly closeIo: Method<ProcessId & { readonly stdin: boolean }, Empty>;
  readonly stats: Method<ById, { readonly stats: AnyMessage | null }>;
  readonly update: Method<ById & { readonly resources: AnyMessage }, Empty>;
  readonly pause: Method<ById, Empty>;
  readonly resume: Method<ById, Empty>;
  readonly checkpoint: Method<ById & { readonly path: string; readonly options: AnyMessage }, Empty>;
  readonly delete: Method<ProcessId, ExitAnswer>;
  readonly shutdown: Method<ById & { readonly now: boolean }, Empty>;
}

export interface ContainerMethods {
  readonly reopenLog: Method<Empty, Empty>;
  readonly attach: Method<Omit<StdioPaths, 'terminal'> & { readonly endsWithInput: boolean }, Empty>;
  readonly endExecs: Method<Empty, Empty>;
  readonly describe: Method<Empty, { readonly micros: Readonly<Record<string, bigint>> }>;
}

/** What `berth-shim streams` serves for a container of a foreign shim. */
export interface StreamsMethods extends Pick<ContainerMethods, 'reopenLog' | 'attach'> {
  readonly settle: Method<Empty, Empty>;
  readonly finish: Method<Empty, Empty>;
}

export interface BerthOptions {
  readonly runtime: string;
  readonly runtimeRoot: string;
  readonly systemdCgroup: boolean;
  readonly log: { readonly path: string; readonly maxLineBytes: number } | null;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly exitFile: string;
  readonly runOnStart: boolean;
}

export interface RuncOptions {
  readonly binaryName: string;
  readonly root: string;
  readonly systemdCgroup: boolean;
}

export interface BootstrapParams {
  readonly instanceId: string;
  readonly namespace: string;
  readonly containerdVersion: string;
  readonly containerdTtrpcAddress: string;
  readonly socketDir: string;
}

export interface BootstrapResult {
  readonly version: number;
  readonly address: string;
  readonly protocol: string;
}

export interface ForwardMessage {
  readonly envelope: { readonly topic: string; readonly event: AnyMessage | null } | null;
}

/** Everything that is spoken with shims. */
export interface ShimMethods {
  readonly task: { readonly 2: TaskMethods; readonly 3: TaskMethods };
  readonly container: ContainerMethods;
  readonly streams: StreamsMethods;
  readonly forward: Method<ForwardMessage, Empty>;
  readonly berthOptions: Codec<BerthOptions>;
  readonly checkpointOptions: Codec<{ readonly openTcp: boolean; readonly fileLocks: boolean }>;
  readonly runcOptions: Codec<RuncOptions>;
  readonly bootstrapParams: Codec<BootstrapParams>;
  readonly bootstrapResult: Codec<BootstrapResult>;
  readonly taskOom: Codec<{ readonly containerId: string }>;
  readonly metricsV1: Codec<CgroupV1Metrics>;
  readonly metricsV2: Codec<CgroupV2Metrics>;
}

/** Reads the shims' contracts. */
export function shimMethods(): ShimMethods {
  const files = new ProtoFiles(protoDirectory, ['berth/shim.proto', ...globSync('containerd/**/*.proto', { cwd: protoDirectory })]);
  return {
    task: { 2: taskMethods(files, 'containerd.task.v2.Task'), 3: taskMethods(files, 'containerd.task.v3.Task') },
    container: {
      reopenLog: method(files, 'berth.shim.v1.Container', 'ReopenLog'),
      attach: method(files, 'berth.shim.v1.Container', 'Attach'),
      endExecs: method(files, 'berth.shim.v1.Container', 'EndExecs'),
      describe: method(files, 'berth.shim.v1.Container', 'Describe'),
    },
    streams: {
      reopenLog: method(files, 'berth.shim.v1.Streams', 'ReopenLog'),
      attach: method(files, 'berth.shim.v1.Streams', 'Attach'),
      settle: method(files, 'berth.shim.v1.Streams', 'Settle'),
      finish: method(files, 'berth.shim.v1.Streams', 'Finish'),
    },
    forward: method(files, 'containerd.services.events.ttrpc.v1.Events', 'Forward'),
    berthOptions: files.codec('berth.shim.v1.Options'),
    checkpointOptions: files.codec('containerd.runc.v1.CheckpointOptions'),
    runcOptions: files.codec('containerd.runc.v1.Options'),
    bootstrapParams: files.codec('containerd.runtime.bootstrap.v1.BootstrapParams'),
    bootstrapResult: files.codec('containerd.runtime.bootstrap.v1.BootstrapResult'),
    taskOom: files.codec('containerd.events.TaskOOM'),
    metricsV1: files.codec('io.containerd.cgroups.v1.Metrics'),
    metricsV2: files.codec('io.containerd.cgroups.v2.Metrics'),
  };
}

function taskMethods(files: ProtoFiles, service: string): TaskMethods {
  const of = <Request extends object, Response extends object>(name: string): Method<Request, Response> => method<Request, Response>(files, service, name);
  return {
    create: of('Create'),
    start: of('Start'),
    state: of('State'),
    wait: of('Wait'),
    kill: of('Kill'),
    exec: of('Exec'),
    resizePty: of('ResizePty'),
    closeIo: of('CloseIO'),
    stats: of('Stats'),
    update: of('Update'),
    pause: of('Pause'),
    resume: of('Resume'),
    checkpoint: of('Checkpoint'),
    delete: of('Delete'),
    shutdown: of('Shutdown'),
  };
}

/** Wraps a message of its own type. */
export function pack<Value>(codec: Codec<Value>, value: Value): AnyMessage {
  return { type_url: codec.typeName, value: codec.encode(value) };
}

/** Wraps a runtime-spec object the way shims expect it: as JSON. */
export function packSpec(name: 'Process' | 'LinuxResources', value: unknown): AnyMessage {
  return { type_url: `types.containerd.io/opencontainers/runtime-spec/1/${name}`, value: Buffer.from(stringifyExactly(value)) };
}
