import type { AnyMessage } from '../lib/proto.ts';
import { BerthError } from '../lib/errors.ts';
import type { CgroupStats, IoStats, MemoryStats, Pressure, PressureLine, PressureStats } from '../agent/port.ts';
import type { BlkioEntry, CgroupV1Memory, CgroupV1Metrics, CgroupV2Metrics, PsiLine, PsiStats } from './cgroup-metrics.ts';
import type { ShimMethods } from './methods.ts';

type Mutable<Value> = { -readonly [Key in keyof Value]: Value[Key] };

/** "No limit": cgroup v1 rounds it down to whole pages, v2 is told as the largest u64. */
const unlimitedFrom = 0x7fff_ffff_ffff_0000n;

const max0 = (value: bigint): bigint => (value > 0n ? value : 0n);
/** The protocol counts no processes, only what the limit counts: threads. */
const pidsOf = (pids: { readonly current: bigint; readonly limit: bigint } | null): CgroupStats['pids'] =>
  ({ current: pids?.current ?? 0n, limit: pids?.limit ?? 0n, processes: pids?.current ?? 0n });
const limit = (value: bigint): bigint | undefined => (value === 0n || value >= unlimitedFrom ? undefined : value);

/**
 * Reads what a shim answered to Stats, from either cgroup version.
 * @throws BerthError `unimplemented` for statistics of another kind.
 */
export function decodeStats(stats: AnyMessage | null, methods: ShimMethods, nowNs: bigint): CgroupStats {
  const type = stats?.type_url.split('/').at(-1) ?? 'nothing';
  const bytes = stats?.value ?? new Uint8Array(0);
  if (type === methods.metricsV1.typeName) return fromV1(methods.metricsV1.decode(bytes), nowNs);
  if (type === methods.metricsV2.typeName) return fromV2(methods.metricsV2.decode(bytes), nowNs);
  throw new BerthError('unimplemented', `the shim told its statistics as ${type}`);
}

function fromV1({ cpu, memory, pids, blkio, hugetlb, memoryOomControl }: CgroupV1Metrics, timestampNs: bigint): CgroupStats {
  return {
    timestampNs,
    cpu: {
      usageNs: cpu?.usage?.total ?? 0n,
      userNs: cpu?.usage?.user ?? 0n,
      systemNs: cpu?.usage?.kernel ?? 0n,
      periods: cpu?.throttling?.periods ?? 0n,
      throttledPeriods: cpu?.throttling?.throttledPeriods ?? 0n,
      throttledNs: cpu?.throttling?.throttledTime ?? 0n,
    },
    memory: memory === null ? noMemory : memoryFromV1(memory, memoryOomControl?.oomKill ?? 0n),
    pids: pidsOf(pids),
    io: ioFromV1(blkio?.ioServiceBytesRecursive ?? [], blkio?.ioServicedRecursive ?? []),
    hugetlb: hugetlb.map(({ pagesize, usage, max }) => ({ pageSize: pagesize, usageBytes: usage, maxUsageBytes: max })),
    pressure: undefined,
    processes: undefined,
  };
}

const noMemory: MemoryStats = {
  usageBytes: 0n,
  workingSetBytes: 0n,
  rssBytes: 0n,
  cacheBytes: 0n,
  mappedFileBytes: 0n,
  maxUsageBytes: 0n,
  failcnt: 0n,
  pageFaults: 0n,
  majorPageFaults: 0n,
  swapUsageBytes: 0n,
  kernelBytes: 0n,
  oomKills: 0n,
  ownPageFaults: 0n,
  ownMajorPageFaults: 0n,
};

function memoryFromV1(memory: CgroupV1Memory, oomKills: bigint): MemoryStats {
  const usageBytes = memory.usage?.usage ?? 0n;
  const limitBytes = limit(memory.usage?.limit ?? 0n);
  const bothLimit = limit(memory.swap?.limit ?? 0n);
  return {
    usageBytes,
    workingSetBytes: max0(usageBytes - memory.totalInactiveFile),
    rssBytes: memory.totalRss,
    cacheBytes: memory.totalCache,
    mappedFileBytes: memory.totalMappedFile,
    limitBytes,
    maxUsageBytes: memory.usage?.max ?? 0n,
    failcnt: memory.usage?.failcnt ?? 0n,
    pageFaults: memory.totalPgFault,
    majorPageFaults: memory.totalPgMajFault,
    swapUsageBytes: max0((memory.swap?.usage ?? 0n) - usageBytes),
    kernelBytes: memory.kernel?.usage ?? 0n,
    oomKills,
    ownPageFaults: memory.pgFault,
    ownMajorPageFaults: memory.pgMajFault,
    swapLimitBytes: bothLimit === undefined || limitBytes === undefined ? undefined : max0(bothLimit - limitBytes),
  };
}

function ioFromV1(bytes: readonly BlkioEntry[], operations: readonly BlkioEntry[]): readonly IoStats[] {
  const devices = new Map<string, Mutable<IoStats>>();
  const of = ({ major, minor }: BlkioEntry): Mutable<IoStats> => {
    const device = `${major}:${minor}`;
    const found = devices.get(device) ?? { device, major, minor, readBytes: 0n, writeBytes: 0n, reads: 0n, writes: 0n };
    devices.set(device, found);
    return found;
  };
  for (const entry of bytes) {
    if (entry.op === 'Read') of(entry).readBytes += entry.value;
    if (entry.op === 'Write') of(entry).writeBytes += entry.value;
  }
  for (const entry of operations) {
    if (entry.op === 'Read') of(entry).reads += entry.value;
    if (entry.op === 'Write') of(entry).writes += entry.value;
  }
  return [...devices.values()];
}

function fromV2({ cpu, memory, pids, io, hugetlb, memoryEvents }: CgroupV2Metrics, timestampNs: bigint): CgroupStats {
  return {
    timestampNs,
    cpu: {
      usageNs: (cpu?.usageUsec ?? 0n) * 1000n,
      userNs: (cpu?.userUsec ?? 0n) * 1000n,
      systemNs: (cpu?.systemUsec ?? 0n) * 1000n,
      periods: cpu?.nrPeriods ?? 0n,
      throttledPeriods: cpu?.nrThrottled ?? 0n,
      throttledNs: (cpu?.throttledUsec ?? 0n) * 1000n,
    },
    memory: memory === null ? noMemory : memoryFromV2(memory, memoryEvents),
    pids: pidsOf(pids),
    io: (io?.usage ?? []).map((entry) => ({
      device: `${entry.major}:${entry.minor}`,
      major: entry.major,
      minor: entry.minor,
      readBytes: entry.rbytes,
      writeBytes: entry.wbytes,
      reads: entry.rios,
      writes: entry.wios,
    })),
    hugetlb: hugetlb.map(({ pagesize, current }) => ({ pageSize: pagesize, usageBytes: current })),
    pressure: pressureFrom(cpu?.psi ?? null, memory?.psi ?? null, io?.psi ?? null),
    processes: undefined,
  };
}

function pressureFrom(...all: readonly [cpu: PsiStats | null, memory: PsiStats | null, io: PsiStats | null]): PressureStats | undefined {
  if (all.every((stats) => stats === null)) return undefined;
  const line = (psi: PsiLine | null): PressureLine | null => psi && { avg10: psi.avg10, avg60: psi.avg60, avg300: psi.avg300, totalUs: psi.total };
  const [cpu, memory, io] = all.map((stats): Pressure | null => stats && { some: line(stats.some), full: line(stats.full) });
  return { cpu: cpu ?? null, memory: memory ?? null, io: io ?? null };
}

function memoryFromV2(memory: NonNullable<CgroupV2Metrics['memory']>, events: CgroupV2Metrics['memoryEvents']): MemoryStats {
  return {
    usageBytes: memory.usage,
    workingSetBytes: max0(memory.usage - memory.inactiveFile),
    rssBytes: memory.anon,
    cacheBytes: memory.file,
    mappedFileBytes: memory.fileMapped,
    limitBytes: limit(memory.usageLimit),
    maxUsageBytes: memory.maxUsage,
    failcnt: events?.max ?? 0n,
    pageFaults: memory.pgfault,
    majorPageFaults: memory.pgmajfault,
    swapUsageBytes: memory.swapUsage,
    kernelBytes: memory.kernelStack + memory.slab,
    oomKills: events?.oomKill ?? 0n,
    ownPageFaults: memory.pgfault,
    ownMajorPageFaults: memory.pgmajfault,
    swapLimitBytes: limit(memory.swapLimit),
  };
}
