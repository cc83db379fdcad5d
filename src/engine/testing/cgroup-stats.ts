import type { CgroupStats } from '../../agent/port.ts';

const memory = {
  usageBytes: 10n, workingSetBytes: 8n, rssBytes: 6n, cacheBytes: 0n, mappedFileBytes: 0n, maxUsageBytes: 10n, failcnt: 0n, pageFaults: 5n,
  majorPageFaults: 1n, swapUsageBytes: 0n, kernelBytes: 0n, oomKills: 0n, ownPageFaults: 5n, ownMajorPageFaults: 1n,
};

/** What a cgroup of two processes may have counted. */
export function cgroupStats(atNs: bigint, cpuNs: bigint): CgroupStats {
  return {
    timestampNs: atNs,
    cpu: { usageNs: cpuNs, userNs: 0n, systemNs: 0n, periods: 0n, throttledPeriods: 0n, throttledNs: 0n },
    memory,
    pids: { current: 3n, limit: 0n, processes: 2n },
    io: [],
    hugetlb: [],
    pressure: undefined,
    processes: undefined,
  };
}
