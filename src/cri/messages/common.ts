/*
 * CRI messages as the codec decodes and encodes them: camelCase names, 64-bit integers as bigint, enums as numbers. A
 * decoded message has every field; an absent message is null.
 */
export type StringMap = Readonly<Record<string, string>>;

export interface Int64Value {
  readonly value: bigint;
}

export interface IdMapping {
  readonly hostId: number;
  readonly containerId: number;
  readonly length: number;
}

/** Numbered as the enum of the contract. */
export const namespaceModes = ['pod', 'container', 'node', 'target'] as const;

export interface UserNamespace {
  readonly mode: number;
  readonly uids: readonly IdMapping[];
  readonly gids: readonly IdMapping[];
}

export interface NamespaceOption {
  readonly network: number;
  readonly pid: number;
  readonly ipc: number;
  readonly targetId: string;
  readonly usernsOptions: UserNamespace | null;
}

/** Numbered as the enum of the contract. */
export const profileTypes = ['runtime-default', 'unconfined', 'localhost'] as const;

export interface SecurityProfile {
  readonly profileType: number;
  readonly localhostRef: string;
}

/** Numbered as the enum of the contract. */
export const groupPolicies = ['merge', 'strict'] as const;

export interface SELinuxOption {
  readonly user: string;
  readonly role: string;
  readonly type: string;
  readonly level: string;
}

export interface LinuxContainerResources {
  readonly cpuPeriod: bigint;
  readonly cpuQuota: bigint;
  readonly cpuShares: bigint;
  readonly memoryLimitInBytes: bigint;
  readonly oomScoreAdj: bigint;
  readonly cpusetCpus: string;
  readonly cpusetMems: string;
  readonly hugepageLimits: readonly { readonly pageSize: string; readonly limit: bigint }[];
  readonly unified: StringMap;
  readonly memorySwapLimitInBytes: bigint;
}

export interface ImageSpec {
  readonly image: string;
  readonly annotations: StringMap;
  readonly userSpecifiedImage: string;
  readonly runtimeHandler: string;
  readonly imageRef: string;
}

/** Where the kubelet reads nothing but the type. */
export type Empty = Readonly<Record<never, never>>;
