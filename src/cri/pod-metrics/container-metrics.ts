import type { ContainerStats } from '../../engine/model/stats.ts';
import type { CgroupStats, FilesystemStats, IoStats, PressureStats } from '../../agent/port.ts';
import { single, type MetricRow, type Sample } from './metric-row.ts';

/** What a container's metrics are read from. */
export interface ContainerSubject {
  readonly stats: ContainerStats;
  readonly startedAtNs: bigint;
  readonly nowNs: bigint;
  readonly filesystem: FilesystemStats;
}

type Row = MetricRow<ContainerSubject>;
type Read = (stats: CgroupStats) => bigint | undefined;

const nanosPerSecond = 1_000_000_000n;
const microsPerSecond = 1_000_000n;

const counter = (name: string, help: string, read: Read): Row => single('counter', name, help, ({ stats }) => read(stats.task));
const gauge = (name: string, help: string, read: Read): Row => single('gauge', name, help, ({ stats }) => read(stats.task));

/** Where containers write, which is one filesystem for all. */
const filesystem = (name: string, help: string, read: (subject: ContainerSubject) => bigint): Row => ({
  name: `container_fs_${name}`,
  help,
  type: 'gauge',
  labels: ['device'],
  read: (subject) => [{ labels: [subject.filesystem.device], value: read(subject) }],
});

const perDevice = (name: string, help: string, read: (io: IoStats) => bigint): Row => ({
  name: `container_fs_${name}`,
  help,
  type: 'counter',
  labels: ['device'],
  read: ({ stats }) => stats.task.io.map((io) => ({ labels: [io.device], value: read(io) })),
});

const deviceOperations = ({ device, major, minor, readBytes, writeBytes }: IoStats): readonly Sample[] => [
  { labels: [device, String(major), String(minor), 'Read'], value: readBytes },
  { labels: [device, String(major), String(minor), 'Write'], value: writeBytes },
];

const failures = ({ memory }: CgroupStats): readonly Sample[] => [
  { labels: ['pgfault', 'container'], value: memory.ownPageFaults },
  { labels: ['pgmajfault', 'container'], value: memory.ownMajorPageFaults },
  { labels: ['pgfault', 'hierarchy'], value: memory.pageFaults },
  { labels: ['pgmajfault', 'hierarchy'], value: memory.majorPageFaults },
];

const hugetlb = (name: string, help: string, read: (pages: CgroupStats['hugetlb'][number]) => bigint | undefined): Row => ({
  name: `container_hugetlb_${name}`,
  help,
  type: 'gauge',
  labels: ['pagesize'],
  read: ({ stats }) =>
    stats.task.hugetlb.flatMap((pages) => {
      const value = read(pages);
      return value === undefined ? [] : [{ labels: [pages.pageSize], value }];
    }),
});

/** Stalled: every process waited; waiting: some did. */
const pressure = (resource: keyof PressureStats, kind: 'stalled' | 'waiting'): Row => {
  const line = kind === 'stalled' ? 'full' : 'some';
  const help = `Time for which ${kind === 'stalled' ? 'all' : 'some'} of the container's processes waited for ${resource}, in seconds.`;
  return counter(`pressure_${resource}_${kind}_seconds_total`, help, ({ pressure: all }) => seconds(all?.[resource]?.[line]?.totalUs, microsPerSecond));
};

function seconds(amount: bigint | undefined, perSecond: bigint): bigint | undefined {
  return amount === undefined ? undefined : amount / perSecond;
}

/** Metrics of one container. CRI carries whole numbers only, so seconds are rounded down. */
export const containerMetrics: readonly Row[] = [
  counter('cpu_usage_seconds_total', 'CPU time consumed, in seconds.', ({ cpu }) => cpu.usageNs / nanosPerSecond),
  counter('cpu_user_seconds_total', 'CPU time consumed in user mode, in seconds.', ({ cpu }) => cpu.userNs / nanosPerSecond),
  counter('cpu_system_seconds_total', 'CPU time consumed in the kernel, in seconds.', ({ cpu }) => cpu.systemNs / nanosPerSecond),
  counter('cpu_cfs_periods_total', 'Enforcement periods of the CPU quota that have elapsed.', ({ cpu }) => cpu.periods),
  counter('cpu_cfs_throttled_periods_total', 'Enforcement periods in which the container was throttled.', ({ cpu }) => cpu.throttledPeriods),
  counter('cpu_cfs_throttled_seconds_total', 'Time for which the container was throttled, in seconds.', ({ cpu }) => cpu.throttledNs / nanosPerSecond),
  gauge('spec_cpu_period', 'Enforcement period of the CPU quota, in microseconds.', ({ cpu }) => cpu.periodUs),
  gauge('spec_cpu_quota', 'CPU quota for each period, in microseconds; absent without one.', ({ cpu }) => cpu.quotaUs),
  gauge('spec_cpu_shares', 'Weight of the container when CPUs are contended, as cgroup version 1 counts it.', ({ cpu }) => cpu.shares),
  gauge('memory_usage_bytes', 'Memory in use, whenever it was touched, in bytes.', ({ memory }) => memory.usageBytes),
  gauge('memory_working_set_bytes', 'Memory in use without the inactive page cache, in bytes.', ({ memory }) => memory.workingSetBytes),
  gauge('memory_rss', 'Anonymous memory, in bytes.', ({ memory }) => memory.rssBytes),
  gauge('memory_cache', 'Page cache, in bytes.', ({ memory }) => memory.cacheBytes),
  gauge('memory_mapped_file', 'Mapped files, in bytes.', ({ memory }) => memory.mappedFileBytes),
  gauge('memory_swap', 'Swap in use, in bytes.', ({ memory }) => memory.swapUsageBytes),
  gauge('memory_kernel_usage', 'Memory that the kernel uses for the container, in bytes.', ({ memory }) => memory.kernelBytes),
  gauge('memory_max_usage_bytes', 'Highest memory usage ever seen, in bytes.', ({ memory }) => memory.maxUsageBytes),
  counter('memory_failcnt', 'How often the memory usage met its limit.', ({ memory }) => memory.failcnt),
  { name: 'container_memory_failures_total', help: 'Page faults.', type: 'counter', labels: ['failure_type', 'scope'], read: ({ stats }) => failures(stats.task) },
  gauge('spec_memory_limit_bytes', 'Memory limit, in bytes; 0 without one.', ({ memory }) => memory.limitBytes ?? 0n),
  gauge('spec_memory_reservation_limit_bytes', 'Memory that is protected or aimed at under pressure, in bytes; 0 without one.', ({ memory }) => memory.reservationBytes ?? 0n),
  gauge('spec_memory_swap_limit_bytes', 'Limit of the swap alone, in bytes; 0 without one.', ({ memory }) => memory.swapLimitBytes ?? 0n),
  counter('oom_events_total', 'Processes that the OOM killer ended in the container.', ({ memory }) => memory.oomKills),
  hugetlb('usage_bytes', 'Huge pages in use, in bytes.', ({ usageBytes }) => usageBytes),
  hugetlb('max_usage_bytes', 'Highest usage of huge pages ever seen, in bytes.', ({ maxUsageBytes }) => maxUsageBytes),
  filesystem('usage_bytes', 'What the container has written to its root filesystem, in bytes.', ({ stats }) => BigInt(stats.writableLayer.bytes)),
  filesystem('limit_bytes', 'Size of the filesystem that it writes to, in bytes.', (subject) => subject.filesystem.bytes),
  filesystem('inodes_total', 'Inodes of the filesystem that it writes to.', (subject) => subject.filesystem.inodes),
  filesystem('inodes_free', 'Free inodes of the filesystem that it writes to.', (subject) => subject.filesystem.inodesFree),
  perDevice('reads_bytes_total', 'Bytes read from the device.', ({ readBytes }) => readBytes),
  perDevice('reads_total', 'Reads from the device.', ({ reads }) => reads),
  perDevice('writes_bytes_total', 'Bytes written to the device.', ({ writeBytes }) => writeBytes),
  perDevice('writes_total', 'Writes to the device.', ({ writes }) => writes),
  {
    name: 'container_blkio_device_usage_total',
    help: 'Bytes moved from and to block devices.',
    type: 'counter',
    labels: ['device', 'major', 'minor', 'operation'],
    read: ({ stats }) => stats.task.io.flatMap(deviceOperations),
  },
  ...(['cpu', 'memory', 'io'] as const).flatMap((resource) => [pressure(resource, 'stalled'), pressure(resource, 'waiting')]),
  gauge('processes', 'Processes in the container.', ({ pids }) => pids.processes),
  gauge('threads', 'Threads in the container.', ({ pids }) => pids.current),
  gauge('threads_max', 'Threads that may be in the container; 0 without a limit.', ({ pids }) => pids.limit),
  gauge('file_descriptors', 'File descriptors that its processes hold open.', ({ processes }) => processes?.fileDescriptors),
  gauge('sockets', 'Sockets that its processes hold open.', ({ processes }) => processes?.sockets),
  {
    name: 'container_ulimits_soft',
    help: "Soft limits of the container's first process.",
    type: 'gauge',
    labels: ['ulimit'],
    read: ({ stats }) => {
      const value = stats.task.processes?.openFilesLimit;
      return value === undefined ? [] : [{ labels: ['max_open_files'], value }];
    },
  },
  single('gauge', 'start_time_seconds', 'When the container was started, in seconds since the epoch.', ({ startedAtNs }) => startedAtNs / nanosPerSecond),
  single('gauge', 'last_seen', 'When the container was last seen, in seconds since the epoch.', ({ nowNs }) => nowNs / nanosPerSecond),
];
