/** io.containerd.cgroups.v1.Metrics and v2.Metrics, as far as they are read. Absent controllers are null. */
export interface CgroupV1Metrics {
  readonly pids: { readonly current: bigint; readonly limit: bigint } | null;
  readonly cpu: {
    readonly usage: { readonly total: bigint; readonly kernel: bigint; readonly user: bigint } | null;
    readonly throttling: { readonly periods: bigint; readonly throttledPeriods: bigint; readonly throttledTime: bigint } | null;
  } | null;
  readonly memory: CgroupV1Memory | null;
  readonly memoryOomControl: { readonly oomKill: bigint } | null;
  readonly hugetlb: readonly { readonly usage: bigint; readonly max: bigint; readonly pagesize: string }[];
  readonly blkio: { readonly ioServiceBytesRecursive: readonly BlkioEntry[]; readonly ioServicedRecursive: readonly BlkioEntry[] } | null;
}

export interface CgroupV1Memory {
  readonly pgFault: bigint;
  readonly pgMajFault: bigint;
  readonly totalCache: bigint;
  readonly totalRss: bigint;
  readonly totalMappedFile: bigint;
  readonly totalPgFault: bigint;
  readonly totalPgMajFault: bigint;
  readonly totalInactiveFile: bigint;
  readonly usage: MemoryEntry | null;
  /** Memory and swap together. */
  readonly swap: MemoryEntry | null;
  readonly kernel: MemoryEntry | null;
}

export interface MemoryEntry {
  readonly limit: bigint;
  readonly usage: bigint;
  readonly max: bigint;
  readonly failcnt: bigint;
}

export interface BlkioEntry {
  readonly op: string;
  readonly major: bigint;
  readonly minor: bigint;
  readonly value: bigint;
}

/** Microseconds, and per cent of the last 10, 60 and 300 seconds. */
export interface PsiLine {
  readonly avg10: number;
  readonly avg60: number;
  readonly avg300: number;
  readonly total: bigint;
}

export interface PsiStats {
  readonly some: PsiLine | null;
  readonly full: PsiLine | null;
}

export interface CgroupV2Metrics {
  readonly pids: { readonly current: bigint; readonly limit: bigint } | null;
  readonly cpu: {
    readonly usageUsec: bigint;
    readonly userUsec: bigint;
    readonly systemUsec: bigint;
    readonly nrPeriods: bigint;
    readonly nrThrottled: bigint;
    readonly throttledUsec: bigint;
    readonly psi: PsiStats | null;
  } | null;
  readonly memory: {
    readonly anon: bigint;
    readonly file: bigint;
    readonly fileMapped: bigint;
    readonly inactiveFile: bigint;
    readonly pgfault: bigint;
    readonly pgmajfault: bigint;
    readonly usage: bigint;
    readonly usageLimit: bigint;
    readonly swapUsage: bigint;
    readonly swapLimit: bigint;
    readonly maxUsage: bigint;
    readonly kernelStack: bigint;
    readonly slab: bigint;
    readonly psi: PsiStats | null;
  } | null;
  readonly io: {
    readonly usage: readonly { readonly major: bigint; readonly minor: bigint; readonly rbytes: bigint; readonly wbytes: bigint; readonly rios: bigint; readonly wios: bigint }[];
    readonly psi: PsiStats | null;
  } | null;
  readonly hugetlb: readonly { readonly current: bigint; readonly pagesize: string }[];
  /** `max` counts how often the limit was hit. */
  readonly memoryEvents: { readonly max: bigint; readonly oomKill: bigint } | null;
}
