import type { ContainerStatus } from './container.ts';
import type { Int64Value, LinuxContainerResources, NamespaceOption, SecurityProfile, SELinuxOption, StringMap } from './common.ts';

export interface PodSandboxMetadata {
  readonly name: string;
  readonly uid: string;
  readonly namespace: string;
  readonly attempt: number;
}

/** Numbered as the enum of the contract. */
export const protocols = ['tcp', 'udp', 'sctp'] as const;

export interface PortMapping {
  readonly protocol: number;
  readonly containerPort: number;
  readonly hostPort: number;
  readonly hostIp: string;
}

export interface LinuxSandboxSecurityContext {
  readonly namespaceOptions: NamespaceOption | null;
  readonly selinuxOptions: SELinuxOption | null;
  readonly runAsUser: Int64Value | null;
  readonly runAsGroup: Int64Value | null;
  readonly readonlyRootfs: boolean;
  readonly supplementalGroups: readonly bigint[];
  readonly supplementalGroupsPolicy: number;
  readonly privileged: boolean;
  readonly seccomp: SecurityProfile | null;
  readonly apparmor: SecurityProfile | null;
  readonly seccompProfilePath: string;
}

export interface LinuxPodSandboxConfig {
  readonly cgroupParent: string;
  readonly securityContext: LinuxSandboxSecurityContext | null;
  readonly sysctls: StringMap;
  readonly overhead: LinuxContainerResources | null;
  readonly resources: LinuxContainerResources | null;
}

export interface PodSandboxConfig {
  readonly metadata: PodSandboxMetadata | null;
  readonly hostname: string;
  readonly logDirectory: string;
  readonly dnsConfig: { readonly servers: readonly string[]; readonly searches: readonly string[]; readonly options: readonly string[] } | null;
  readonly portMappings: readonly PortMapping[];
  readonly labels: StringMap;
  readonly annotations: StringMap;
  readonly linux: LinuxPodSandboxConfig | null;
}

export interface RunPodSandboxRequest {
  readonly config: PodSandboxConfig | null;
  readonly runtimeHandler: string;
}

export interface RunPodSandboxResponse {
  readonly podSandboxId: string;
}

/** StopPodSandbox, RemovePodSandbox, PodSandboxStats and PortForward name a pod this way. */
export interface PodSandboxIdRequest {
  readonly podSandboxId: string;
}

export interface PodSandboxStatusRequest extends PodSandboxIdRequest {
  readonly verbose: boolean;
}

/** Numbered as the enum of the contract. */
export const sandboxStates = ['ready', 'notready'] as const;

export interface PodSandboxStatus {
  readonly id: string;
  readonly metadata: PodSandboxMetadata;
  readonly state: number;
  readonly createdAt: bigint;
  readonly network: { readonly ip: string; readonly additionalIps: readonly { readonly ip: string }[] };
  readonly linux: { readonly namespaces: { readonly options: NamespaceOption } };
  readonly labels: StringMap;
  readonly annotations: StringMap;
  readonly runtimeHandler: string;
}

export interface PodSandboxStatusResponse {
  readonly status: PodSandboxStatus;
  readonly info: StringMap;
}

export interface PodSandboxFilter {
  readonly id: string;
  readonly state: { readonly state: number } | null;
  readonly labelSelector: StringMap;
}

export interface ListPodSandboxRequest {
  readonly filter: PodSandboxFilter | null;
}

export interface PodSandbox {
  readonly id: string;
  readonly metadata: PodSandboxMetadata;
  readonly state: number;
  readonly createdAt: bigint;
  readonly labels: StringMap;
  readonly annotations: StringMap;
  readonly runtimeHandler: string;
}

export interface ListPodSandboxResponse {
  readonly items: readonly PodSandbox[];
}

export interface StreamPodSandboxesResponse {
  readonly podSandboxes: readonly PodSandbox[];
}

export interface UpdatePodSandboxResourcesRequest extends PodSandboxIdRequest {
  readonly overhead: LinuxContainerResources | null;
  readonly resources: LinuxContainerResources | null;
}

/** Numbered as the enum of the contract. */
export const containerEventTypes = ['created', 'started', 'stopped', 'deleted'] as const;

export interface ContainerEventResponse {
  readonly containerId: string;
  readonly containerEventType: number;
  readonly createdAt: bigint;
  readonly podSandboxStatus: PodSandboxStatus | null;
  readonly containersStatuses: readonly ContainerStatus[];
}

export interface PortForwardRequest extends PodSandboxIdRequest {
  readonly port: readonly number[];
}
