import type { CgroupStats, FilesystemStats, InterfaceStats, PressureStats, Usage } from '../../agent/port.ts';
import type { ContainerId, PodId } from '../../lib/ids.ts';

export interface ContainerStats {
  readonly id: ContainerId;
  readonly task: CgroupStats;
  /** Below the mount point of the cgroup filesystem; empty where only the shim knows. */
  readonly cgroupPath: string;
  /** Rate over the last sampling window; undefined until two samples exist. */
  readonly usageNanoCores: bigint | undefined;
  readonly writableLayer: Usage;
  readonly writableLayerMountpoint: string;
}

/** Of the pod's own cgroup where it has one, else sums over its running containers. */
export interface PodTotals {
  readonly cpuUsageNs: bigint;
  readonly memoryUsageBytes: bigint;
  readonly memoryWorkingSetBytes: bigint;
  readonly memoryRssBytes: bigint;
  readonly memoryPageFaults: bigint;
  readonly memoryMajorPageFaults: bigint;
  /** undefined without a limit, and without a cgroup of the pod's own. */
  readonly memoryLimitBytes: bigint | undefined;
  readonly processCount: bigint;
  readonly pressure: PressureStats | undefined;
}

export interface PodStats extends PodTotals {
  readonly id: PodId;
  readonly timestampNs: bigint;
  readonly containers: readonly ContainerStats[];
  readonly usageNanoCores: bigint | undefined;
  /** Empty on the host network. */
  readonly interfaces: readonly InterfaceStats[];
}

/** Everything that metrics are made of. */
export interface Measurements {
  readonly pods: readonly PodStats[];
  /** Where containers write. */
  readonly filesystem: FilesystemStats;
}
