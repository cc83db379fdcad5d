import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { grpcStatus, type Message } from '../fixtures/cri.ts';
import type { ContainerStats, Wrapped } from '../fixtures/cri-types.ts';
import { shimOf } from '../recovery/shim-of.ts';
import { CriSuite, waiting, type SuitePod } from './suite.ts';

let suite: CriSuite;
let pod: SuitePod;
let busy: string;
beforeAll(async () => {
  suite = await CriSuite.start();
  pod = await suite.pod({ labels: { of: 'stats' }, annotations: { note: 'n' } });
  busy = await suite.run(pod, ['sh', '-c', 'head -c 5000000 /dev/zero > /file; while :; do :; done'], {
    metadata: { name: 'main' },
    labels: { l: 'busy' },
    linux: { resources: { memory_limit_in_bytes: String(64 << 20) }, security_context: { namespace_options: { pid: 'CONTAINER' } } },
  });
});
afterAll(async () => suite.close());

const amount = (value: Wrapped | undefined): number => Number(value?.value ?? Number.NaN);

test('a running container has times, processor time, memory and writable layer', async () => {
  await sleep(1200);
  await suite.cri.containerStats(busy);
  await sleep(1200);
  const stats = await suite.cri.call<{ stats: ContainerStats & Message }>('ContainerStats', { container_id: busy });
  const { cpu, memory, attributes } = stats.stats;
  expect(attributes).toMatchObject({ id: busy, metadata: { name: 'main' }, labels: { l: 'busy' } });
  expect(Math.abs(Number(BigInt(cpu?.timestamp ?? 0) / 1_000_000n) - Date.now())).toBeLessThan(30_000);
  expect(amount(cpu?.usage_core_nano_seconds)).toBeGreaterThan(5e8);
  expect(amount(cpu?.usage_nano_cores)).toBeGreaterThan(1e8);
  expect(amount(memory?.working_set_bytes)).toBeGreaterThan(1000);
  expect(amount(memory?.usage_bytes)).toBeGreaterThanOrEqual(amount(memory?.working_set_bytes));
  // A layer is walked now and then, so it may be shown as it was some seconds ago.
  await vi.waitFor(
    async () => {
      const { writable_layer: layer } = await suite.cri.containerStats(busy);
      expect(amount(layer?.used_bytes)).toBeGreaterThanOrEqual(5_000_000);
      expect(amount(layer?.inodes_used)).toBeGreaterThan(0);
    },
    { timeout: 15_000, interval: 500 },
  );
  expect(stats.stats['memory']).toMatchObject({ available_bytes: { value: expect.stringMatching(/^\d+$/) } });
});

test('swap is told, and pressure where the kernel has it for cgroups', async () => {
  const stats = await suite.cri.call<{ stats: Message }>('ContainerStats', { container_id: busy });
  const swap = stats.stats['swap'] as { timestamp: string; swap_usage_bytes: Wrapped };
  expect(Number(swap.timestamp)).toBeGreaterThan(0);
  expect(amount(swap.swap_usage_bytes)).toBeGreaterThanOrEqual(0);
  const version2 = existsSync('/sys/fs/cgroup/cgroup.controllers');
  const line = { Total: expect.stringMatching(/^\d+$/), Avg10: expect.any(Number), Avg60: expect.any(Number), Avg300: expect.any(Number) };
  const { stats: ofPod } = await suite.cri.call<{ stats: { linux: Message } }>('PodSandboxStats', { pod_sandbox_id: pod.id });
  for (const kind of ['cpu', 'memory', 'io']) {
    const psi = version2 ? { Some: line } : null;
    expect(stats.stats[kind], kind).toMatchObject({ psi });
    expect(ofPod.linux[kind], kind).toMatchObject({ psi });
  }
});

test('containers that come and go while they are counted fail no list', async () => {
  const churn = async (): Promise<void> => {
    for (let round = 0; round < 6; round += 1) {
      const ids = await Promise.all([0, 1, 2].map(async (index) => suite.run(pod, [...waiting], { metadata: { name: `churn-${index}` } })));
      await Promise.all(ids.map(async (id) => suite.cri.removeContainer(id)));
    }
  };
  const methods = ['ListContainerStats', 'ListPodSandboxStats', 'ListPodSandboxMetrics', 'ListContainers', 'ListPodSandbox'];
  const lists = methods.map(async (method) => {
    for (let round = 0; round < 40; round += 1) await suite.cri.call(method);
  });
  await Promise.all([churn(), ...lists]);
});

test('processor time grows and never goes back', async () => {
  const read = async () => amount((await suite.cri.containerStats(busy)).cpu?.usage_core_nano_seconds);
  const first = await read();
  await sleep(300);
  expect(await read()).toBeGreaterThan(first);
});

test('lists hold running containers alone, and filters must match', async () => {
  const created = await suite.create(pod, ['true'], { metadata: { name: 'created' } });
  const ids = async (filter: object | null) => (await suite.cri.call<{ stats: readonly ContainerStats[] }>('ListContainerStats', { filter })).stats.map(({ attributes }) => attributes.id);
  expect(await ids(null)).toEqual([busy]);
  expect(await ids({ label_selector: { l: 'busy' } })).toEqual([busy]);
  expect(await ids({ pod_sandbox_id: pod.id, id: busy })).toEqual([busy]);
  expect(await ids({ label_selector: { l: 'idle' } })).toEqual([]);
  await expect(suite.cri.containerStats(created)).rejects.toMatchObject({ code: grpcStatus.FAILED_PRECONDITION });
  await expect(suite.cri.containerStats('f'.repeat(64))).rejects.toMatchObject({ code: grpcStatus.NOT_FOUND });
  await suite.cri.removeContainer(created);
});

test("a pod's statistics hold its network, processes and containers", async () => {
  const { stats } = await suite.cri.call<{ stats: Message }>('PodSandboxStats', { pod_sandbox_id: pod.id });
  expect(stats['attributes']).toMatchObject({ id: pod.id, metadata: { name: 'pod' }, labels: { of: 'stats' }, annotations: { note: 'n' } });
  const linux = stats['linux'] as { network: { default_interface: { name: string; rx_bytes: Wrapped } }; process: { process_count: Wrapped }; cpu: { usage_core_nano_seconds: Wrapped }; containers: readonly ContainerStats[] };
  expect(linux.network.default_interface.name).toBe('eth0');
  expect(amount(linux.network.default_interface.rx_bytes)).toBeGreaterThanOrEqual(0);
  expect(amount(linux.process.process_count)).toBeGreaterThanOrEqual(1);
  expect(amount(linux.cpu.usage_core_nano_seconds)).toBeGreaterThan(0);
  expect(linux.containers.map(({ attributes }) => attributes.id)).toEqual([busy]);
});

test('a pod on the node’s network is not charged with the node’s traffic', async () => {
  const options = { namespace_options: { network: 'NODE', pid: 'CONTAINER' } };
  const host = await suite.pod({ metadata: { name: 'host', namespace: 'default', uid: 'host', attempt: 0 }, linux: { cgroup_parent: suite.node.scratch.cgroup, security_context: options } });
  await suite.run(host, [...waiting], { linux: { security_context: options } });
  const { stats } = await suite.cri.call<{ stats: { linux: Message } }>('PodSandboxStats', { pod_sandbox_id: host.id });
  expect(stats.linux).toMatchObject({ network: null, containers: [{ attributes: { metadata: { name: expect.any(String) } } }] });
  await suite.cri.removePod(host.id);
});

test('lists of pods follow their filter, and an unknown pod is not found', async () => {
  const ids = async (filter: object | null) => (await suite.cri.call<{ stats: readonly { attributes: { id: string } }[] }>('ListPodSandboxStats', { filter })).stats.map(({ attributes }) => attributes.id);
  expect(await ids(null)).toEqual([pod.id]);
  expect(await ids({ label_selector: { of: 'nothing' } })).toEqual([]);
  await expect(suite.cri.call('PodSandboxStats', { pod_sandbox_id: 'f'.repeat(64) })).rejects.toMatchObject({ code: grpcStatus.NOT_FOUND });
});

test.each([
  ['StreamContainerStats', 'container_stats'],
  ['StreamPodSandboxStats', 'pod_sandbox_stats'],
])('%s sends what the list would', async (method, field) => {
  const seen: string[] = [];
  for await (const message of suite.cri.stream<Message>(method)) seen.push(...(message[field] as readonly ContainerStats[]).map(({ attributes }) => attributes.id));
  expect(seen).toEqual([method === 'StreamContainerStats' ? busy : pod.id]);
});

test('a frozen shim is not noticed by statistics, however often they are polled', async () => {
  const other = await suite.run(pod, [...waiting], { metadata: { name: 'frozen' } });
  const shim = shimOf(other);
  process.kill(shim, 'SIGSTOP');
  try {
    const from = performance.now();
    const polls = Array.from({ length: 40 }, async () => {
      const { stats } = await suite.cri.call<{ stats: readonly ContainerStats[] }>('ListContainerStats');
      const { stats: pods } = await suite.cri.call<{ stats: readonly { linux: { containers: readonly ContainerStats[] } }[] }>('ListPodSandboxStats');
      const { pod_metrics: metrics } = await suite.cri.call<{ pod_metrics: readonly { container_metrics: readonly { container_id: string }[] }[] }>('ListPodSandboxMetrics');
      return [stats, pods.flatMap(({ linux }) => linux.containers)].map((all) => all.map(({ attributes }) => attributes.id).toSorted()).concat([metrics.flatMap((each) => each.container_metrics.map(({ container_id: id }) => id)).toSorted()]);
    });
    for (const lists of await Promise.all(polls)) expect(lists).toEqual([1, 2, 3].map(() => [busy, other].toSorted()));
    expect(performance.now() - from).toBeLessThan(10_000);
    const alone = performance.now();
    await suite.cri.containerStats(other);
    expect(performance.now() - alone).toBeLessThan(2000);
  } finally {
    process.kill(shim, 'SIGCONT');
  }
  await suite.cri.removeContainer(other);
});
