import type { HostFacts } from '../oci/runtime-spec/input.ts';
import type { SnapshotterName } from '../snapshotter/port.ts';

/** What the daemon decides for the engine. */
export interface EngineConfig {
  /** Survives a reboot: image volumes' copies. */
  readonly stateRoot: string;
  /** Does not need to survive one: bundles, pins of namespaces, host files. */
  readonly runRoot: string;
  /** Name of the runtime handler for pods that name none. */
  readonly defaultHandler: string;
  /** By runtime handler; those that are not in it use overlay. */
  readonly snapshotters: Readonly<Record<string, SnapshotterName>>;
  readonly cgroupDriver: 'cgroupfs' | 'systemd';
  /** cgroup parent of pods that name none, e.g. `/berth` or `berth.slice`. */
  readonly defaultCgroupParent: string;
  /** Longer log lines are split. */
  readonly maxLogLineBytes: number;
  /** Size of a pod's /dev/shm. */
  readonly shmSizeBytes: number;
  /** Pods and containers that start at the same time; the others wait in line. About twice the number of CPUs. */
  readonly startConcurrency: number;
  /** Pods may bind ports below 1024 without a capability. */
  readonly enableUnprivilegedPorts: boolean;
  /** Pods may send ICMP echo without a capability. */
  readonly enableUnprivilegedIcmp: boolean;
  /** Never give a container a lower oom_score_adj than berthd has itself, even where that would be allowed. */
  readonly restrictOomScoreAdj: boolean;
  /** Directories of CDI specs; a later one goes before an earlier one. */
  readonly cdiSpecDirs: readonly string[];
  /** A container's devices belong to the user and group that its request names. */
  readonly deviceOwnershipFromSecurityContext: boolean;
  /** Where the cgroup filesystems are mounted. */
  readonly cgroupRoot: string;
  readonly host: HostFacts;
  /** Of the running kernel, as uname(2) tells. */
  readonly kernelRelease: string;
}
