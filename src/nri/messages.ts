/** The messages of NRI as far as they are used here; see proto/nri. */

/** A wrapper that tells a default value from none. */
export type Optional<Value> = { readonly value: Value } | null;

type Strings = Readonly<Record<string, string>>;

export interface MemoryMessage {
  readonly limit: Optional<bigint>;
  readonly reservation: Optional<bigint>;
  readonly swap: Optional<bigint>;
  readonly kernel: Optional<bigint>;
  readonly kernelTcp: Optional<bigint>;
  readonly swappiness: Optional<bigint>;
  readonly disableOomKiller: Optional<boolean>;
  readonly useHierarchy: Optional<boolean>;
}

export interface CpuMessage {
  readonly shares: Optional<bigint>;
  readonly quota: Optional<bigint>;
  readonly period: Optional<bigint>;
  readonly realtimeRuntime: Optional<bigint>;
  readonly realtimePeriod: Optional<bigint>;
  readonly cpus: string;
  readonly mems: string;
}

export interface DeviceRuleMessage {
  readonly allow: boolean;
  readonly type: string;
  readonly major: Optional<bigint>;
  readonly minor: Optional<bigint>;
  readonly access: string;
}

export interface ResourcesMessage {
  readonly memory: MemoryMessage | null;
  readonly cpu: CpuMessage | null;
  readonly hugepageLimits: readonly { readonly pageSize: string; readonly limit: bigint }[];
  readonly blockioClass: Optional<string>;
  readonly rdtClass: Optional<string>;
  readonly unified: Strings;
  readonly devices: readonly DeviceRuleMessage[];
  readonly pids: { readonly limit: bigint } | null;
}

export interface NamespaceMessage {
  readonly type: string;
  readonly path: string;
}

export interface DeviceMessage {
  readonly path: string;
  readonly type: string;
  readonly major: bigint;
  readonly minor: bigint;
  readonly fileMode: Optional<number>;
  readonly uid: Optional<number>;
  readonly gid: Optional<number>;
}

export interface MountMessage {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

export interface HookMessage {
  readonly path: string;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly timeout: Optional<bigint>;
}

export interface HooksMessage {
  readonly prestart: readonly HookMessage[];
  readonly createRuntime: readonly HookMessage[];
  readonly createContainer: readonly HookMessage[];
  readonly startContainer: readonly HookMessage[];
  readonly poststart: readonly HookMessage[];
  readonly poststop: readonly HookMessage[];
}

export interface RlimitMessage {
  readonly type: string;
  readonly hard: bigint;
  readonly soft: bigint;
}

export interface SeccompMessage {
  readonly defaultAction: string;
  readonly defaultErrno: Optional<number>;
  readonly architectures: readonly string[];
  readonly flags: readonly string[];
  readonly listenerPath: string;
  readonly listenerMetadata: string;
  readonly syscalls: readonly {
    readonly names: readonly string[];
    readonly action: string;
    readonly errnoRet: Optional<number>;
    readonly args: readonly { readonly index: number; readonly value: bigint; readonly valueTwo: bigint; readonly op: string }[];
  }[];
}

export interface SchedulerMessage {
  readonly policy: number;
  readonly nice: number;
  readonly priority: number;
  readonly flags: readonly number[];
  readonly runtime: bigint;
  readonly deadline: bigint;
  readonly period: bigint;
}

export interface RdtMessage {
  readonly closId: Optional<string>;
  readonly schemata: Optional<readonly string[]>;
  readonly enableMonitoring: Optional<boolean>;
  readonly remove: boolean;
}

export interface IoPriorityMessage {
  readonly class: number;
  readonly priority: number;
}

export interface MemoryPolicyMessage {
  readonly mode: number;
  readonly nodes: string;
  readonly flags: readonly number[];
}

export interface NetDeviceMessage {
  readonly name: string;
}

export interface LinuxAdjustmentMessage {
  readonly devices: readonly DeviceMessage[];
  readonly resources: ResourcesMessage | null;
  readonly cgroupsPath: string;
  readonly oomScoreAdj: Optional<bigint>;
  readonly ioPriority: IoPriorityMessage | null;
  readonly seccompPolicy: SeccompMessage | null;
  readonly namespaces: readonly NamespaceMessage[];
  readonly sysctl: Strings;
  readonly netDevices: Readonly<Record<string, NetDeviceMessage>>;
  readonly scheduler: SchedulerMessage | null;
  readonly rdt: RdtMessage | null;
  readonly memoryPolicy: MemoryPolicyMessage | null;
}

export interface AdjustmentMessage {
  readonly annotations: Strings;
  readonly mounts: readonly MountMessage[];
  readonly env: readonly { readonly key: string; readonly value: string }[];
  readonly hooks: HooksMessage | null;
  readonly linux: LinuxAdjustmentMessage | null;
  readonly rlimits: readonly RlimitMessage[];
  readonly CDIDevices: readonly { readonly name: string }[];
  readonly args: readonly string[];
}

export interface UpdateMessage {
  readonly containerId: string;
  readonly linux: { readonly resources: ResourcesMessage | null } | null;
  readonly ignoreFailure: boolean;
}

export interface EvictionMessage {
  readonly containerId: string;
  readonly reason: string;
}

export interface PodMessage {
  readonly id: string;
  readonly name: string;
  readonly uid: string;
  readonly namespace: string;
  readonly labels: Strings;
  readonly annotations: Strings;
  readonly runtimeHandler: string;
  readonly linux: {
    readonly podOverhead: ResourcesMessage | null;
    readonly podResources: ResourcesMessage | null;
    readonly cgroupParent: string;
    readonly cgroupsPath: string;
    readonly namespaces: readonly NamespaceMessage[];
    readonly resources: ResourcesMessage | null;
  };
  readonly pid: number;
  readonly ips: readonly string[];
}

export interface ContainerMessage {
  readonly id: string;
  readonly podSandboxId: string;
  readonly name: string;
  readonly state: number;
  readonly labels: Strings;
  readonly annotations: Strings;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly mounts: readonly MountMessage[];
  readonly hooks: HooksMessage | null;
  readonly linux: {
    readonly namespaces: readonly NamespaceMessage[];
    readonly devices: readonly DeviceMessage[];
    readonly resources: ResourcesMessage | null;
    readonly oomScoreAdj: Optional<bigint>;
    readonly cgroupsPath: string;
    readonly ioPriority: IoPriorityMessage | null;
    readonly seccompProfile: { readonly profileType: number; readonly localhostRef: string } | null;
    readonly seccompPolicy: SeccompMessage | null;
    readonly sysctl: Strings;
    readonly netDevices: Readonly<Record<string, NetDeviceMessage>>;
    readonly scheduler: SchedulerMessage | null;
    readonly rdt: RdtMessage | null;
  } | null;
  readonly pid: number;
  readonly rlimits: readonly RlimitMessage[];
  readonly createdAt: bigint;
  readonly startedAt: bigint;
  readonly finishedAt: bigint;
  readonly exitCode: number;
  readonly statusReason: string;
  readonly statusMessage: string;
  readonly user: { readonly uid: number; readonly gid: number; readonly additionalGids: readonly number[] } | null;
  readonly image: { readonly name: string; readonly digest: string; readonly configDigest: string };
}

/** Which plugin each field of an adjustment comes from, by number of proto's Field. */
export interface OwnersMessage {
  readonly owners: Readonly<
    Record<string, { readonly simple: Readonly<Record<string, string>>; readonly compound: Readonly<Record<string, { readonly owners: Strings }>> }>
  >;
}
