import { expect, test } from 'vitest';
import type { Container } from '../../engine/model/container.ts';
import type { Pod } from '../../engine/model/pod.ts';
import type { ContainerStats } from '../../engine/model/stats.ts';
import type { CgroupStats } from '../../agent/port.ts';
import { encodePodMetrics, metricDescriptors } from './encode-metrics.ts';

const memory = {
  usageBytes: 1000n, workingSetBytes: 750n, rssBytes: 500n, cacheBytes: 300n, mappedFileBytes: 40n, maxUsageBytes: 1001n, failcnt: 2n, pageFaults: 6n,
  majorPageFaults: 1n, swapUsageBytes: 12n, kernelBytes: 20n, oomKills: 3n, ownPageFaults: 5n, ownMajorPageFaults: 0n, limitBytes: 4096n,
};
const line = { avg10: 1.5, avg60: 0, avg300: 0, totalUs: 2_500_000n };
const full: CgroupStats = {
  timestampNs: 9_000_000_000n,
  cpu: { usageNs: 7_900_000_000n, userNs: 5_000_000_000n, systemNs: 2_900_000_000n, periods: 5n, throttledPeriods: 3n, throttledNs: 1_999_999_999n, shares: 1024n, quotaUs: 20_000n, periodUs: 100_000n },
  memory,
  pids: { current: 4n, limit: 100n, processes: 2n },
  io: [{ device: '/dev/vda', major: 254n, minor: 0n, readBytes: 10n, writeBytes: 20n, reads: 1n, writes: 2n }],
  hugetlb: [{ pageSize: '2MB', usageBytes: 2097152n, maxUsageBytes: 4194304n }],
  pressure: { cpu: { some: line, full: null }, memory: { some: line, full: line }, io: null },
  processes: { fileDescriptors: 30n, sockets: 4n, openFilesLimit: 1024n },
};
const bare: CgroupStats = { ...full, cpu: { usageNs: 0n, userNs: 0n, systemNs: 0n, periods: 0n, throttledPeriods: 0n, throttledNs: 0n }, io: [], hugetlb: [{ pageSize: '1GB', usageBytes: 0n }], pressure: undefined, processes: undefined };

function measured(task: CgroupStats): Parameters<typeof encodePodMetrics>[0] {
  const stats = { id: 'c1', task, cgroupPath: '/kubepods/pod1/c1', writableLayer: { bytes: 4096, inodes: 3 } } as unknown as ContainerStats;
  const container = { id: 'c1', config: { name: 'web', image: 'sha256:feed', userSpecifiedImage: 'busybox:1' }, startedAtNs: 3_000_000_000n } as unknown as Container;
  const pod = { id: 'p1', config: { door: { metadata: { name: 'shop', namespace: 'sales', uid: 'u', attempt: 0 } }, cgroupParent: '/kubepods/pod1' } } as unknown as Pod;
  const counters = { rxBytes: 1n, rxPackets: 2n, rxErrors: 3n, rxDropped: 4n, txBytes: 5n, txPackets: 6n, txErrors: 7n, txDropped: 8n };
  const interfaces = [{ name: 'lo', ...counters }, { name: 'eth0', ...counters }];
  return {
    pod,
    stats: { interfaces, containers: [stats] } as unknown as Parameters<typeof encodePodMetrics>[0]['stats'],
    containers: new Map([['c1', container]]),
    filesystem: { device: '/dev/vda', bytes: 1n << 30n, inodes: 1000n, inodesFree: 900n },
  };
}

/** Values of a metric, keyed by the labels that it has beyond the common ones. */
function valuesOf(task: CgroupStats): (name: string) => Readonly<Record<string, bigint>> {
  const { metrics, containerMetrics } = encodePodMetrics(measured(task));
  const all = [...metrics, ...containerMetrics.flatMap((each) => each.metrics)];
  return (name) => Object.fromEntries(all.filter((metric) => metric.name === `container_${name}`).map(({ labelValues, value }) => [labelValues.slice(6).join(' '), value.value]));
}

test('descriptors are complete and no name comes twice', () => {
  const descriptors = metricDescriptors();
  expect(descriptors).toHaveLength(56);
  expect(new Set(descriptors.map(({ name }) => name)).size).toBe(56);
  for (const { help, labelKeys } of descriptors) {
    expect(help).toMatch(/\.$/);
    expect(labelKeys.slice(0, 6)).toEqual(['container', 'id', 'image', 'name', 'namespace', 'pod']);
  }
});

test('every value has as many labels as its descriptor', () => {
  const keys = new Map(metricDescriptors().map(({ name, labelKeys }) => [name, labelKeys.length]));
  const { metrics, containerMetrics } = encodePodMetrics(measured(full));
  for (const { name, labelValues } of [...metrics, ...containerMetrics.flatMap((each) => each.metrics)]) expect([name, labelValues.length]).toEqual([name, keys.get(name)]);
});

test('a container is named as cAdvisor names it, a pod as its sandbox', () => {
  const { metrics, containerMetrics } = encodePodMetrics(measured(full));
  expect(containerMetrics[0]?.metrics[0]?.labelValues).toEqual(['web', '/kubepods/pod1/c1', 'busybox:1', 'c1', 'sales', 'shop']);
  expect(metrics[0]?.labelValues).toEqual(['', '/kubepods/pod1', '', 'p1', 'sales', 'shop', 'eth0']);
});

test('every value has its unit', () => {
  const values = valuesOf(full);
  expect(['cpu_usage_seconds_total', 'cpu_user_seconds_total', 'cpu_system_seconds_total', 'cpu_cfs_throttled_seconds_total'].map((name) => values(name)[''])).toEqual([7n, 5n, 2n, 1n]);
  expect(values('memory_failures_total')).toEqual({ 'pgfault container': 5n, 'pgmajfault container': 0n, 'pgfault hierarchy': 6n, 'pgmajfault hierarchy': 1n });
  expect(values('blkio_device_usage_total')).toEqual({ '/dev/vda 254 0 Read': 10n, '/dev/vda 254 0 Write': 20n });
  expect([values('fs_usage_bytes'), values('fs_inodes_free')]).toEqual([{ '/dev/vda': 4096n }, { '/dev/vda': 900n }]);
  expect([values('pressure_cpu_waiting_seconds_total'), values('pressure_cpu_stalled_seconds_total'), values('pressure_memory_stalled_seconds_total')]).toEqual([{ '': 2n }, {}, { '': 2n }]);
  expect([values('start_time_seconds'), values('last_seen')]).toEqual([{ '': 3n }, { '': 9n }]);
  expect([values('network_transmit_packets_dropped_total'), values('network_receive_errors_total')]).toEqual([{ eth0: 8n }, { eth0: 3n }]);
  expect(values('ulimits_soft')).toEqual({ max_open_files: 1024n });
});

test('what is not known has no value, and a limit that is not set is 0', () => {
  const values = valuesOf(bare);
  for (const name of ['spec_cpu_quota', 'spec_cpu_shares', 'fs_reads_total', 'pressure_io_waiting_seconds_total', 'file_descriptors', 'ulimits_soft', 'hugetlb_max_usage_bytes']) expect(values(name)).toEqual({});
  expect([values('hugetlb_usage_bytes'), values('spec_memory_swap_limit_bytes'), values('spec_memory_reservation_limit_bytes')]).toEqual([{ '1GB': 0n }, { '': 0n }, { '': 0n }]);
});
