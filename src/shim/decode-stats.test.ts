import { expect, test } from 'vitest';
import { decodeStats } from './decode-stats.ts';
import { shimMethods } from './methods.ts';
import { parseBootstrap } from './start-shim.ts';

const methods = shimMethods();
const entry = (usage: bigint, limit: bigint): { usage: bigint; limit: bigint; max: bigint; failcnt: bigint } => ({ usage, limit, max: usage + 1n, failcnt: 2n });
const unlimitedV1 = 0x7fff_ffff_ffff_f000n;

test('version 1: the working set leaves the inactive page cache out, and swap is the difference of two counters', () => {
  const memory = { pgFault: 5n, pgMajFault: 1n, kernel: entry(70n, 0n), totalCache: 300n, totalRss: 500n, totalMappedFile: 40n, totalPgFault: 6n, totalPgMajFault: 1n, totalInactiveFile: 250n };
  const value = methods.metricsV1.encode({
    pids: { current: 4n, limit: 100n },
    cpu: { usage: { total: 9n, kernel: 2n, user: 7n }, throttling: { periods: 5n, throttledPeriods: 3n, throttledTime: 11n } },
    memory: { ...memory, usage: entry(1000n, 2000n), swap: entry(1300n, 2600n) },
    memoryOomControl: { oomKill: 3n },
    hugetlb: [{ usage: 0n, max: 2n, pagesize: '2MB' }],
    blkio: {
      ioServiceBytesRecursive: [
        { op: 'Read', major: 8n, minor: 0n, value: 10n },
        { op: 'Write', major: 8n, minor: 0n, value: 20n },
        { op: 'Total', major: 8n, minor: 0n, value: 30n },
        { op: 'Read', major: 8n, minor: 16n, value: 1n },
      ],
      ioServicedRecursive: [{ op: 'Write', major: 8n, minor: 0n, value: 2n }],
    },
  });
  expect(decodeStats({ type_url: 'io.containerd.cgroups.v1.Metrics', value }, methods, 77n)).toEqual({
    timestampNs: 77n,
    cpu: { usageNs: 9n, userNs: 7n, systemNs: 2n, periods: 5n, throttledPeriods: 3n, throttledNs: 11n },
    memory: {
      usageBytes: 1000n,
      workingSetBytes: 750n,
      rssBytes: 500n,
      cacheBytes: 300n,
      mappedFileBytes: 40n,
      limitBytes: 2000n,
      maxUsageBytes: 1001n,
      failcnt: 2n,
      pageFaults: 6n,
      majorPageFaults: 1n,
      swapUsageBytes: 300n,
      swapLimitBytes: 600n,
      kernelBytes: 70n,
      oomKills: 3n,
      ownPageFaults: 5n,
      ownMajorPageFaults: 1n,
    },
    pids: { current: 4n, limit: 100n, processes: 4n },
    io: [
      { device: '8:0', major: 8n, minor: 0n, readBytes: 10n, writeBytes: 20n, reads: 0n, writes: 2n },
      { device: '8:16', major: 8n, minor: 16n, readBytes: 1n, writeBytes: 0n, reads: 0n, writes: 0n },
    ],
    hugetlb: [{ pageSize: '2MB', usageBytes: 0n, maxUsageBytes: 2n }],
    pressure: undefined,
    processes: undefined,
  });
});

test('version 1: no limit is none, and a page cache larger than the usage leaves a working set of 0', () => {
  const memory = { pgFault: 0n, pgMajFault: 0n, kernel: null, totalCache: 0n, totalRss: 0n, totalMappedFile: 0n, totalPgFault: 0n, totalPgMajFault: 0n, totalInactiveFile: 9n };
  const value = methods.metricsV1.encode({ pids: null, cpu: null, blkio: null, memoryOomControl: null, hugetlb: [], memory: { ...memory, usage: entry(5n, unlimitedV1), swap: null } });
  const stats = decodeStats({ type_url: 'io.containerd.cgroups.v1.Metrics', value }, methods, 0n);
  expect(stats.memory).toMatchObject({ workingSetBytes: 0n, limitBytes: undefined, swapUsageBytes: 0n, swapLimitBytes: undefined });
  expect(stats.io).toEqual([]);
});

test('version 2 counts time in microseconds and calls the largest number no limit', () => {
  const value = methods.metricsV2.encode({
    pids: { current: 4n, limit: 0n },
    cpu: { usageUsec: 9n, userUsec: 7n, systemUsec: 2n, nrPeriods: 5n, nrThrottled: 3n, throttledUsec: 11n, psi: { some: { avg10: 1.5, avg60: 0, avg300: 0, total: 9n }, full: null } },
    memory: { anon: 500n, file: 300n, fileMapped: 40n, inactiveFile: 250n, pgfault: 6n, pgmajfault: 1n, usage: 1000n, usageLimit: 2n ** 64n - 1n, swapUsage: 12n, swapLimit: 600n, maxUsage: 1001n, kernelStack: 1n, slab: 2n, psi: null },
    io: { usage: [{ major: 8n, minor: 0n, rbytes: 10n, wbytes: 20n, rios: 1n, wios: 2n }], psi: null },
    hugetlb: [{ current: 5n, pagesize: '1GB' }],
    memoryEvents: { max: 2n, oomKill: 1n },
  });
  const stats = decodeStats({ type_url: 'types.example/io.containerd.cgroups.v2.Metrics', value }, methods, 77n);
  expect(stats.cpu).toEqual({ usageNs: 9000n, userNs: 7000n, systemNs: 2000n, periods: 5n, throttledPeriods: 3n, throttledNs: 11_000n });
  expect(stats.memory).toMatchObject({ workingSetBytes: 750n, rssBytes: 500n, limitBytes: undefined, maxUsageBytes: 1001n, failcnt: 2n, swapUsageBytes: 12n, swapLimitBytes: 600n });
  expect(stats.io).toEqual([{ device: '8:0', major: 8n, minor: 0n, readBytes: 10n, writeBytes: 20n, reads: 1n, writes: 2n }]);
  expect(stats.memory).toMatchObject({ kernelBytes: 3n, oomKills: 1n });
  expect(stats.hugetlb).toEqual([{ pageSize: '1GB', usageBytes: 5n }]);
  expect(stats.pressure).toEqual({ cpu: { some: { avg10: 1.5, avg60: 0, avg300: 0, totalUs: 9n }, full: null }, memory: null, io: null });
});

test('statistics of another kind are told as such', () => {
  expect(() => decodeStats({ type_url: 'hcsshim.Statistics', value: Buffer.alloc(0) }, methods, 0n)).toThrow(/hcsshim.Statistics/);
  expect(() => decodeStats(null, methods, 0n)).toThrow(/nothing/);
});

test('a shim says where it listens in one of three ways', () => {
  const expected = { version: 3, address: 'unix:///run/a', protocol: 'ttrpc' };
  expect(parseBootstrap(methods.bootstrapResult.encode(expected), methods)).toMatchObject(expected);
  expect(parseBootstrap(Buffer.from(`${JSON.stringify(expected)}\n`), methods)).toEqual(expected);
  expect(parseBootstrap(Buffer.from('unix:///run/a\n'), methods)).toEqual({ ...expected, version: 2 });
});
