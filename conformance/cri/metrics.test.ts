import { afterAll, beforeAll, expect, test } from 'vitest';
import { CriSuite, waiting, type SuitePod } from './suite.ts';

interface Descriptor {
  readonly name: string;
  readonly help: string;
  readonly label_keys: readonly string[];
}

interface Metric {
  readonly name: string;
  readonly metric_type: 'COUNTER' | 'GAUGE';
  readonly label_values: readonly string[];
  readonly value: { readonly value: string } | null;
}

interface PodMetrics {
  readonly pod_sandbox_id: string;
  readonly metrics: readonly Metric[];
  readonly container_metrics: readonly { readonly container_id: string; readonly metrics: readonly Metric[] }[];
}

/** Those that a fresh pod with limits has. */
const always = [
  'cpu_cfs_periods_total', 'cpu_cfs_throttled_periods_total', 'cpu_cfs_throttled_seconds_total', 'cpu_system_seconds_total', 'cpu_usage_seconds_total', 'cpu_user_seconds_total',
  'file_descriptors', 'fs_inodes_free', 'fs_inodes_total', 'fs_limit_bytes', 'fs_usage_bytes', 'last_seen', 'memory_cache', 'memory_failcnt', 'memory_failures_total',
  'memory_kernel_usage', 'memory_mapped_file', 'memory_max_usage_bytes', 'memory_rss', 'memory_swap', 'memory_usage_bytes', 'memory_working_set_bytes',
  ...['receive', 'transmit'].flatMap((way) => ['bytes', 'errors', 'packets_dropped', 'packets'].map((what) => `network_${way}_${what}_total`)),
  'oom_events_total', 'processes', 'sockets', 'spec_cpu_period', 'spec_cpu_shares', 'spec_memory_limit_bytes', 'spec_memory_swap_limit_bytes', 'start_time_seconds', 'threads', 'threads_max',
];

/** Those that depend on the kernel, on limits or on what a container has done. */
const sometimes = [
  'blkio_device_usage_total', 'fs_reads_bytes_total', 'fs_reads_total', 'fs_writes_bytes_total', 'fs_writes_total', 'hugetlb_max_usage_bytes', 'hugetlb_usage_bytes',
  ...['cpu', 'io', 'memory'].flatMap((resource) => ['stalled', 'waiting'].map((kind) => `pressure_${resource}_${kind}_seconds_total`)),
  'spec_cpu_quota', 'spec_memory_reservation_limit_bytes', 'ulimits_soft',
];

let suite: CriSuite;
let pod: SuitePod;
let id: string;
beforeAll(async () => {
  suite = await CriSuite.start();
  pod = await suite.pod({ metadata: { name: 'measured', namespace: 'lab', uid: 'u1', attempt: 0 } });
  id = await suite.run(pod, [...waiting], {
    metadata: { name: 'main' },
    image: { image: suite.busybox, user_specified_image: 'busybox:mine' },
    linux: { resources: { cpu_period: '100000', cpu_quota: '20000', cpu_shares: '512', memory_limit_in_bytes: String(64 << 20) }, security_context: { namespace_options: { pid: 'CONTAINER' } } },
  });
});
afterAll(async () => suite.close());

const descriptors = async (): Promise<readonly Descriptor[]> => (await suite.cri.call<{ descriptors: readonly Descriptor[] }>('ListMetricDescriptors')).descriptors;
const podMetrics = async (): Promise<readonly PodMetrics[]> => (await suite.cri.call<{ pod_metrics: readonly PodMetrics[] }>('ListPodSandboxMetrics')).pod_metrics;
const allOf = ({ metrics, container_metrics: containers }: PodMetrics): readonly Metric[] => [...metrics, ...containers.flatMap((each) => each.metrics)];

/** The values of a metric of the one pod, by its labels. */
async function read(name: string): Promise<readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[]> {
  const keys = (await descriptors()).find((each) => each.name === `container_${name}`)?.label_keys ?? [];
  const measured = (await podMetrics()).find((each) => each.pod_sandbox_id === pod.id);
  if (measured === undefined) throw new Error(`no metrics of pod ${pod.id}`);
  const found = allOf(measured).filter((metric) => metric.name === `container_${name}`);
  return found.map(({ label_values: values, value }) => ({ labels: Object.fromEntries(keys.map((key, index) => [key, values[index] ?? ''])), value: Number(value?.value ?? Number.NaN) }));
}

test('all 56 metrics are described, each with a text and labels', async () => {
  const all = await descriptors();
  expect(all.map(({ name }) => name.replace(/^container_/, '')).toSorted()).toEqual([...always, ...sometimes].toSorted());
  expect(all).toHaveLength(56);
  for (const { help, label_keys: keys } of all) {
    expect(help).not.toBe('');
    expect(keys.length).toBeGreaterThan(0);
  }
});

test('a fresh pod with limits has a value of every metric that does not depend on more', async () => {
  const keys = new Map((await descriptors()).map(({ name, label_keys: labels }) => [name, labels.length]));
  const measured = await podMetrics();
  expect(measured.map(({ pod_sandbox_id: podId }) => podId)).toEqual([pod.id]);
  const all = measured.flatMap(allOf);
  const named = new Set(all.map(({ name }) => name.replace(/^container_/, '')));
  expect(always.filter((name) => !named.has(name))).toEqual([]);
  for (const { name, label_values: values, value } of all) {
    expect([name, values.length]).toEqual([name, keys.get(name)]);
    expect(value?.value).toMatch(/^\d+$/);
  }
});

test('values carry the names of container, pod and image', async () => {
  const [usage] = await read('memory_usage_bytes');
  expect(usage?.labels).toMatchObject({ container: 'main', pod: 'measured', namespace: 'lab', name: id, image: 'busybox:mine' });
  expect(usage?.labels['id']).toMatch(new RegExp(`^/.*${id}$`));
});

test("limits are the kernel's", async () => {
  const single = async (name: string) => (await read(name)).map(({ value }) => value);
  expect(await single('spec_memory_limit_bytes')).toEqual([64 << 20]);
  expect(await single('spec_cpu_period')).toEqual([100_000]);
  expect(await single('spec_cpu_quota')).toEqual([20_000]);
  const [shares = 0] = await single('spec_cpu_shares');
  // A weight of version 2 is coarser.
  expect(Math.abs(shares - 512)).toBeLessThan(30);
});

test('what a container does is counted', async () => {
  const before = (await read('processes'))[0]?.value ?? 0;
  const other = await suite.run(pod, ['sh', '-c', 'sleep 1000 & sleep 1000 & head -c 3000000 /dev/zero >/file; exec nc -l -p 9000'], { metadata: { name: 'busy' } });
  await expect.poll(async () => (await read('sockets')).find(({ labels }) => labels['name'] === other)?.value, { timeout: 10_000 }).toBe(1);
  const of = async (name: string) => (await read(name)).find(({ labels }) => labels['name'] === other)?.value ?? Number.NaN;
  expect(await of('processes')).toBe(3);
  expect(await of('threads')).toBe(3);
  expect(await of('file_descriptors')).toBeGreaterThanOrEqual(10);
  // Blocks are allocated late.
  await expect.poll(async () => of('fs_usage_bytes'), { timeout: 20_000 }).toBeGreaterThanOrEqual(3_000_000);
  expect(await of('fs_limit_bytes')).toBeGreaterThan(await of('fs_usage_bytes'));
  expect(Math.abs((await of('last_seen')) - Date.now() / 1000)).toBeLessThan(30);
  expect(Math.abs((await of('start_time_seconds')) - Date.now() / 1000)).toBeLessThan(60);
  expect(before).toBeGreaterThanOrEqual(1);
  await suite.cri.removeContainer(other);
});

test('processor time is in seconds', async () => {
  const busy = await suite.run(pod, ['sh', '-c', 'while :; do :; done'], { metadata: { name: 'spinning' } });
  const seconds = async () => (await read('cpu_usage_seconds_total')).find(({ labels }) => labels['name'] === busy)?.value ?? 0;
  const from = Date.now();
  await expect.poll(seconds, { timeout: 30_000, interval: 100 }).toBeGreaterThanOrEqual(1);
  expect(await seconds()).toBeLessThanOrEqual(Math.ceil((Date.now() - from) / 1000) + 1);
  await suite.cri.removeContainer(busy);
});

test("a pod's network is counted for each interface, once for the pod", async () => {
  await suite.cri.execSync(id, ['ping', '-c', '1', '-W', '1', `${suite.node.scratch.subnet}.1`]).catch(() => undefined);
  const received = await read('network_receive_bytes_total');
  expect(received.map(({ labels }) => labels)).toMatchObject([{ interface: 'eth0', name: pod.id, pod: 'measured', container: '' }]);
  expect((await read('network_transmit_packets_total'))[0]?.value).toBeGreaterThan(0);
});

test('a stream sends what the list would', async () => {
  const streamed: PodMetrics[] = [];
  for await (const message of suite.cri.stream<{ pod_sandbox_metrics: readonly PodMetrics[] }>('StreamPodSandboxMetrics')) streamed.push(...message.pod_sandbox_metrics);
  const names = (all: readonly PodMetrics[]) => all.map((each) => [each.pod_sandbox_id, allOf(each).map(({ name }) => name).toSorted()]);
  expect(names(streamed)).toEqual(names(await podMetrics()));
});

test('a container that has ended has no metrics, and a stopped pod none', async () => {
  const second = await suite.pod({ metadata: { name: 'ends', namespace: 'lab', uid: 'u2', attempt: 0 } });
  const ends = await suite.finish(second, ['true']);
  const shown = async () => (await podMetrics()).find((each) => each.pod_sandbox_id === second.id);
  expect((await shown())?.container_metrics.map((each) => each.container_id)).toEqual([]);
  expect(ends.state).toBe('CONTAINER_EXITED');
  await suite.cri.stopPod(second.id);
  expect(await shown()).toBeUndefined();
  await suite.cri.removePod(second.id);
});
