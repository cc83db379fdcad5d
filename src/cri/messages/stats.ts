import type { ContainerMetadata } from './container.ts';
import type { PodSandboxMetadata } from './sandbox.ts';
import type { StringMap } from './common.ts';

export interface UInt64Value {
  readonly value: bigint;
}

export interface FilesystemUsage {
  readonly timestamp: bigint;
  readonly fsId: { readonly mountpoint: string };
  readonly usedBytes: UInt64Value;
  readonly inodesUsed: UInt64Value;
}

/** Named as in the contract. */
export interface PsiData {
  readonly Total: bigint;
  readonly Avg10: number;
  readonly Avg60: number;
  readonly Avg300: number;
}

export interface PsiStats {
  readonly Full: PsiData | null;
  readonly Some: PsiData | null;
}

/** psi is null where the kernel does not tell. */
export interface IoUsage {
  readonly timestamp: bigint;
  readonly psi: PsiStats | null;
}

export interface CpuUsage {
  readonly timestamp: bigint;
  readonly usageCoreNanoSeconds: UInt64Value;
  /** null until two samples were taken. */
  readonly usageNanoCores: UInt64Value | null;
  readonly psi: PsiStats | null;
}

export interface MemoryUsage {
  readonly timestamp: bigint;
  readonly workingSetBytes: UInt64Value;
  /** null without a limit. */
  readonly availableBytes: UInt64Value | null;
  readonly usageBytes: UInt64Value;
  readonly rssBytes: UInt64Value;
  readonly pageFaults: UInt64Value;
  readonly majorPageFaults: UInt64Value;
  readonly psi: PsiStats | null;
}

export interface SwapUsage {
  readonly timestamp: bigint;
  readonly swapAvailableBytes: UInt64Value | null;
  readonly swapUsageBytes: UInt64Value;
}

export interface ContainerStats {
  readonly attributes: { readonly id: string; readonly metadata: ContainerMetadata; readonly labels: StringMap; readonly annotations: StringMap };
  readonly cpu: CpuUsage;
  readonly memory: MemoryUsage;
  readonly writableLayer: FilesystemUsage;
  readonly swap: SwapUsage;
  readonly io: IoUsage;
}

export interface NetworkInterfaceUsage {
  readonly name: string;
  readonly rxBytes: UInt64Value;
  readonly rxErrors: UInt64Value;
  readonly txBytes: UInt64Value;
  readonly txErrors: UInt64Value;
}

export interface PodSandboxStats {
  readonly attributes: { readonly id: string; readonly metadata: PodSandboxMetadata; readonly labels: StringMap; readonly annotations: StringMap };
  readonly linux: {
    readonly cpu: CpuUsage;
    readonly memory: MemoryUsage;
    /** null on the host network. */
    readonly network: { readonly timestamp: bigint; readonly defaultInterface: NetworkInterfaceUsage | null; readonly interfaces: readonly NetworkInterfaceUsage[] } | null;
    readonly process: { readonly timestamp: bigint; readonly processCount: UInt64Value };
    readonly containers: readonly ContainerStats[];
    readonly io: IoUsage;
  };
}

export interface ContainerStatsFilter {
  readonly id: string;
  readonly podSandboxId: string;
  readonly labelSelector: StringMap;
}

export interface PodSandboxStatsFilter {
  readonly id: string;
  readonly labelSelector: StringMap;
}

/** A List*Stats or Stream*Stats request. */
export interface Filtered<Filter> {
  readonly filter: Filter | null;
}

export interface OneStats<Stats> {
  readonly stats: Stats;
}

export interface ManyStats<Stats> {
  readonly stats: readonly Stats[];
}

export interface StreamContainerStatsResponse {
  readonly containerStats: readonly ContainerStats[];
}

export interface StreamPodSandboxStatsResponse {
  readonly podSandboxStats: readonly PodSandboxStats[];
}
