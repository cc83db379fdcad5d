import type { ContainerId, PodId } from '../../lib/ids.ts';
import type { InterfaceStats, Usage } from '../../native/port.ts';
import type { TaskStats } from '../../shim/port.ts';

export interface ContainerStats {
  readonly id: ContainerId;
  readonly task: TaskStats;
  /** Rate over the last sampling window; undefined until two samples exist. */
  readonly usageNanoCores: bigint | undefined;
  readonly writableLayer: Usage;
  readonly writableLayerMountpoint: string;
}

export interface PodStats {
  readonly id: PodId;
  readonly timestampNs: bigint;
  readonly containers: readonly ContainerStats[];
  /** Sums over the pod's own cgroup where it has one, else over its containers. */
  readonly cpuUsageNs: bigint;
  readonly usageNanoCores: bigint | undefined;
  readonly memoryUsageBytes: bigint;
  readonly memoryWorkingSetBytes: bigint;
  readonly memoryRssBytes: bigint;
  readonly memoryPageFaults: bigint;
  readonly memoryMajorPageFaults: bigint;
  readonly processCount: bigint;
  /** Empty on the host network. */
  readonly interfaces: readonly InterfaceStats[];
}
