import type { IdMapping, ImageSpec, Int64Value, LinuxContainerResources, NamespaceOption, SecurityProfile, SELinuxOption, StringMap } from './common.ts';
import type { PodSandboxConfig } from './sandbox.ts';

/** Numbered as the enum of the contract. */
export const propagations = ['private', 'host-to-container', 'bidirectional'] as const;

export interface Mount {
  readonly containerPath: string;
  readonly hostPath: string;
  readonly readonly: boolean;
  readonly selinuxRelabel: boolean;
  readonly propagation: number;
  readonly uidMappings: readonly IdMapping[];
  readonly gidMappings: readonly IdMapping[];
  readonly recursiveReadOnly: boolean;
  readonly image: ImageSpec | null;
  readonly imageSubPath: string;
  readonly mountOptions: readonly string[];
}

export interface LinuxContainerSecurityContext {
  readonly capabilities: { readonly addCapabilities: readonly string[]; readonly dropCapabilities: readonly string[]; readonly addAmbientCapabilities: readonly string[] } | null;
  readonly privileged: boolean;
  readonly namespaceOptions: NamespaceOption | null;
  readonly selinuxOptions: SELinuxOption | null;
  readonly runAsUser: Int64Value | null;
  readonly runAsGroup: Int64Value | null;
  readonly runAsUsername: string;
  readonly readonlyRootfs: boolean;
  readonly supplementalGroups: readonly bigint[];
  readonly supplementalGroupsPolicy: number;
  readonly noNewPrivs: boolean;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  readonly seccomp: SecurityProfile | null;
  readonly apparmor: SecurityProfile | null;
  readonly apparmorProfile: string;
  readonly seccompProfilePath: string;
}

export interface ContainerMetadata {
  readonly name: string;
  readonly attempt: number;
}

export interface ContainerConfig {
  readonly metadata: ContainerMetadata | null;
  readonly image: ImageSpec | null;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly workingDir: string;
  readonly envs: readonly { readonly key: string; readonly value: Uint8Array }[];
  readonly mounts: readonly Mount[];
  readonly devices: readonly { readonly containerPath: string; readonly hostPath: string; readonly permissions: string }[];
  readonly labels: StringMap;
  readonly annotations: StringMap;
  readonly logPath: string;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly tty: boolean;
  readonly linux: { readonly resources: LinuxContainerResources | null; readonly securityContext: LinuxContainerSecurityContext | null } | null;
  readonly CDIDevices: readonly { readonly name: string }[];
  readonly stopSignal: number;
}

export interface CreateContainerRequest {
  readonly podSandboxId: string;
  readonly config: ContainerConfig | null;
  readonly sandboxConfig: PodSandboxConfig | null;
}

export interface CreateContainerResponse {
  readonly containerId: string;
}

/** Start, Remove, ReopenContainerLog, ContainerStats and others name a container this way. */
export interface ContainerIdRequest {
  readonly containerId: string;
}

export interface StopContainerRequest extends ContainerIdRequest {
  /** Seconds. */
  readonly timeout: bigint;
}

export interface ContainerStatusRequest extends ContainerIdRequest {
  readonly verbose: boolean;
}

/** Numbered as the enum of the contract. */
export const containerStates = ['created', 'running', 'exited', 'unknown'] as const;

export interface ContainerFilter {
  readonly id: string;
  readonly state: { readonly state: number } | null;
  readonly podSandboxId: string;
  readonly labelSelector: StringMap;
}

export interface ListContainersRequest {
  readonly filter: ContainerFilter | null;
}

export interface Container {
  readonly id: string;
  readonly podSandboxId: string;
  readonly metadata: ContainerMetadata;
  readonly image: Partial<ImageSpec>;
  readonly imageRef: string;
  readonly state: number;
  readonly createdAt: bigint;
  readonly labels: StringMap;
  readonly annotations: StringMap;
  readonly imageId: string;
}

export interface ListContainersResponse {
  readonly containers: readonly Container[];
}

export interface ContainerStatus {
  readonly id: string;
  readonly metadata: ContainerMetadata;
  readonly state: number;
  readonly createdAt: bigint;
  readonly startedAt: bigint;
  readonly finishedAt: bigint;
  readonly exitCode: number;
  readonly image: Partial<ImageSpec>;
  readonly imageRef: string;
  readonly reason: string;
  readonly message: string;
  readonly labels: StringMap;
  readonly annotations: StringMap;
  readonly mounts: readonly Partial<Mount>[];
  readonly logPath: string;
  readonly resources: { readonly linux: LinuxContainerResources };
  readonly imageId: string;
  readonly user: { readonly linux: { readonly uid: bigint; readonly gid: bigint; readonly supplementalGroups: readonly bigint[] } };
  readonly stopSignal: number;
}

export interface ContainerStatusResponse {
  readonly status: ContainerStatus;
  readonly info: StringMap;
}

export interface UpdateContainerResourcesRequest extends ContainerIdRequest {
  readonly linux: LinuxContainerResources | null;
}

export interface ExecSyncRequest extends ContainerIdRequest {
  readonly cmd: readonly string[];
  /** Seconds; 0 or less: none. */
  readonly timeout: bigint;
}

export interface ExecSyncResponse {
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly exitCode: number;
}

export interface CheckpointContainerRequest extends ContainerIdRequest {
  readonly location: string;
  /** Seconds; 0: as long as the client waits. */
  readonly timeout: bigint;
}

/** Which streams a client of exec or attach wants. */
export interface StreamsRequest extends ContainerIdRequest {
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

export interface ExecRequest extends StreamsRequest {
  readonly cmd: readonly string[];
}

export interface UrlResponse {
  readonly url: string;
}
