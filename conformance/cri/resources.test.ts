import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { grpcStatus } from '../fixtures/cri.ts';
import type { ContainerConfig } from '../fixtures/cri-types.ts';
import { cgroupFile as fileOfCgroup, pidOf as pidOfContainer } from './cgroup-file.ts';
import { CriSuite, waiting, type SuitePod } from './suite.ts';

let suite: CriSuite;
let pod: SuitePod;
beforeAll(async () => {
  suite = await CriSuite.start();
  pod = await suite.pod();
});
afterEach(async () => {
  for (const { id } of await suite.cri.listContainers()) await suite.cri.removeContainer(id);
});
afterAll(async () => suite.close());

const limited = (resources: object): Partial<ContainerConfig> => ({ linux: { resources, security_context: { namespace_options: { pid: 'CONTAINER' } } } });

const pidOf = (id: string): Promise<number> => pidOfContainer(suite.cri, id);
const cgroupFile = (id: string, controller: string, name: string): Promise<string> => fileOfCgroup(suite.cri, id, [controller, name]);

const asked = { cpu_period: '50000', cpu_quota: '25000', cpu_shares: '512', memory_limit_in_bytes: String(64 << 20) };

test('limits reach the cgroup and the status', async () => {
  const id = await suite.run(pod, [...waiting], limited(asked));
  expect(await cgroupFile(id, 'memory', 'memory.limit_in_bytes')).toBe(asked.memory_limit_in_bytes);
  expect(await cgroupFile(id, 'cpu', 'cpu.shares')).toBe('512');
  expect([await cgroupFile(id, 'cpu', 'cpu.cfs_period_us'), await cgroupFile(id, 'cpu', 'cpu.cfs_quota_us')]).toEqual(['50000', '25000']);
  expect((await suite.cri.containerStatus(id)).resources?.linux).toMatchObject(asked);
});

test('a quota of -1 is none: the kubelet sends it for containers with processors of their own', async () => {
  const id = await suite.run(pod, [...waiting], limited({ cpu_period: '100000', cpu_quota: '-1' }));
  expect(await cgroupFile(id, 'cpu', 'cpu.cfs_quota_us')).toBe('-1');
});

test('a limit that the kernel refuses makes a start fail, and leaves no cgroup', async () => {
  const id = await suite.create(pod, [...waiting], limited({ cpu_quota: '500' }));
  await expect(suite.cri.startContainer(id)).rejects.toThrow('cpu');
  const { cgroups } = await suite.node.leaks(0);
  expect(cgroups.filter((path) => path.includes(id))).toEqual([]);
});

test('containers live below the cgroup of their pod', async () => {
  const id = await suite.run(pod, [...waiting]);
  expect(readFileSync(`/proc/${await pidOf(id)}/cgroup`, 'utf8')).toContain(`${suite.node.scratch.cgroup}/${id}`);
});

const mib = (count: number): string => String(count << 20);
const memoryLimits = async (id: string): Promise<readonly string[]> => Promise.all(['memory.limit_in_bytes', 'memory.memsw.limit_in_bytes'].map((file) => cgroupFile(id, 'memory', file)));
const noSwapAccounting = !existsSync('/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes');

describe.each(['crun', 'runc'])('memory and swap under %s', (handler) => {
  let own: SuitePod;
  beforeAll(async () => {
    own = await suite.pod({ metadata: { name: `swap-${handler}`, namespace: 'default', uid: `swap-${handler}`, attempt: 0 } }, handler);
  });

  test('a limit of memory bounds swap, too, and takes it along up and down', async ({ skip }) => {
    if (noSwapAccounting) skip('this kernel accounts no swap in version 1');
    const id = await suite.run(own, [...waiting], limited({ memory_limit_in_bytes: mib(32) }));
    expect(await memoryLimits(id)).toEqual([mib(32), mib(32)]);
    for (const limit of [mib(64), mib(16), mib(128)]) {
      await suite.cri.call('UpdateContainerResources', { container_id: id, linux: { memory_limit_in_bytes: limit } });
      expect(await memoryLimits(id)).toEqual([limit, limit]);
    }
  });

  test('a limit of swap is one of both, changes alone and together, and is never below that of memory', async ({ skip }) => {
    if (noSwapAccounting) skip('this kernel accounts no swap in version 1');
    const id = await suite.run(own, [...waiting], limited({ memory_limit_in_bytes: mib(32), memory_swap_limit_in_bytes: mib(48) }));
    expect(await memoryLimits(id)).toEqual([mib(32), mib(48)]);
    const update = (linux: object): Promise<unknown> => suite.cri.call('UpdateContainerResources', { container_id: id, linux });
    await update({ memory_limit_in_bytes: mib(64), memory_swap_limit_in_bytes: mib(96) });
    expect(await memoryLimits(id)).toEqual([mib(64), mib(96)]);
    await update({ memory_limit_in_bytes: mib(16), memory_swap_limit_in_bytes: mib(24) });
    expect(await memoryLimits(id)).toEqual([mib(16), mib(24)]);
    await update({ memory_swap_limit_in_bytes: mib(40) });
    expect(await memoryLimits(id)).toEqual([mib(16), mib(40)]);
    const refused = { code: grpcStatus.INVALID_ARGUMENT, details: expect.stringContaining('memory_swap_limit_in_bytes') };
    await expect(update({ memory_swap_limit_in_bytes: mib(8) })).rejects.toMatchObject(refused);
    expect(await memoryLimits(id)).toEqual([mib(16), mib(40)]);
    await update({ memory_swap_limit_in_bytes: '-1' });
    const [memory, both] = await memoryLimits(id);
    expect([memory, BigInt(both ?? 0) > 1n << 50n]).toEqual([mib(16), true]);
    await update({ memory_limit_in_bytes: mib(20) });
    expect(await memoryLimits(id)).toEqual([mib(20), mib(20)]);
    expect((await suite.cri.containerStatus(id)).resources?.linux).toMatchObject({ memory_limit_in_bytes: mib(20), memory_swap_limit_in_bytes: mib(20) });
  });
});

test('processors and memory nodes are chosen, and can be chosen anew', async () => {
  const id = await suite.run(pod, [...waiting], limited({ cpuset_cpus: '0', cpuset_mems: '0' }));
  expect([await cgroupFile(id, 'cpuset', 'cpuset.cpus'), await cgroupFile(id, 'cpuset', 'cpuset.mems')]).toEqual(['0', '0']);
  await suite.cri.call('UpdateContainerResources', { container_id: id, linux: { cpuset_cpus: '1' } });
  expect([await cgroupFile(id, 'cpuset', 'cpuset.cpus'), await cgroupFile(id, 'cpuset', 'cpuset.mems')]).toEqual(['1', '0']);
});

test('huge page limits are taken where there is no controller for them: the kubelet sends them always', async ({ skip }) => {
  if (existsSync('/sys/fs/cgroup/hugetlb')) skip('this machine has the controller');
  const hugepages = { hugepage_limits: [{ page_size: '2MB', limit: '0' }, { page_size: '1GB', limit: '0' }] };
  const id = await suite.run(pod, [...waiting], limited(hugepages));
  expect((await suite.cri.containerStatus(id)).resources?.linux).toMatchObject(hugepages);
});

test('files of cgroup version 2 are refused by their name on a node with version 1, at creation and update', async ({ skip }) => {
  if (existsSync('/sys/fs/cgroup/cgroup.controllers')) skip('this machine has version 2');
  const unified = { unified: { 'memory.high': '1000000' } };
  const refused = { code: grpcStatus.FAILED_PRECONDITION, details: expect.stringMatching(/memory\.high.*version 2/) };
  await expect(suite.create(pod, ['true'], limited(unified))).rejects.toMatchObject(refused);
  const id = await suite.run(pod, [...waiting], limited(asked));
  await expect(suite.cri.call('UpdateContainerResources', { container_id: id, linux: { ...unified, cpu_shares: '1024' } })).rejects.toMatchObject(refused);
  expect(await cgroupFile(id, 'cpu', 'cpu.shares')).toBe('512');
});

test.each<[string, object]>([
  ['no linux part', { linux: null }],
  ['no resources', { linux: { resources: null, security_context: null } }],
  ['empty ones', { linux: { resources: {}, security_context: { namespace_options: { pid: 'CONTAINER' } } } }],
])('a container with %s runs', async (_what, over) => {
  // Past the fixture, which fills in what a kubelet would say.
  const id = await suite.cri.createContainer(pod.id, { metadata: { name: 'bare' }, image: { image: suite.busybox }, command: [...waiting], ...(over as Partial<ContainerConfig>) }, pod.config);
  await suite.cri.startContainer(id);
  expect(BigInt(await cgroupFile(id, 'memory', 'memory.limit_in_bytes'))).toBeGreaterThan(1n << 50n);
});

test('a score is never lower than berthd’s own where that is configured, and none at all is not inherited', async () => {
  const own = Number(readFileSync(`/proc/${suite.node.pid}/oom_score_adj`, 'utf8'));
  const score = async (resources: object) => Number(readFileSync(`/proc/${await pidOf(await suite.run(pod, [...waiting], limited(resources)))}/oom_score_adj`, 'utf8'));
  expect(await score({ oom_score_adj: '-998' })).toBe(own);
  // As under systemd, which protects the daemon, but upwards: that needs no capability.
  const setDaemon = (value: number): void => {
    for (const pid of suite.node.pids) writeFileSync(`/proc/${pid}/oom_score_adj`, String(value));
  };
  setDaemon(own + 300);
  try {
    expect(await score({})).toBe(Math.max(1, own));
  } finally {
    setDaemon(own);
  }
});

test('oom_score_adj is set', async () => {
  const id = await suite.run(pod, [...waiting], limited({ oom_score_adj: '500' }));
  expect(readFileSync(`/proc/${await pidOf(id)}/oom_score_adj`, 'utf8').trim()).toBe('500');
});

const scoreOf = (pid: number): number => Number(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8'));

test('an update of oom_score_adj reaches the process and its children, but none that chose its own', async () => {
  const id = await suite.run(pod, ['sh', '-c', 'sleep 1000 & sh -c "echo 700 >/proc/self/oom_score_adj; exec sleep 2000" & wait'], limited({ oom_score_adj: '500' }));
  const main = await pidOf(id);
  const scores = (): readonly number[] => readFileSync(`/proc/${main}/task/${main}/children`, 'utf8').trim().split(' ').map((pid) => scoreOf(Number(pid))).toSorted((a, b) => a - b);
  await expect.poll(scores).toEqual([500, 700]);
  await suite.cri.call('UpdateContainerResources', { container_id: id, linux: { oom_score_adj: '600' } });
  expect([scoreOf(main), ...scores()]).toEqual([600, 600, 700]);
  expect((await suite.cri.containerStatus(id)).resources?.linux).toMatchObject({ oom_score_adj: '600' });
  expect((await suite.cri.execSync(id, ['cat', '/proc/self/oom_score_adj'])).stdout.toString()).toBe('600\n');
  await suite.cri.call('UpdateContainerResources', { container_id: id, linux: { cpu_shares: '1024' } });
  expect(scoreOf(main)).toBe(600);
});

test('a created container starts with the oom_score_adj of its last update', async () => {
  const id = await suite.create(pod, [...waiting], limited({ oom_score_adj: '500' }));
  await suite.cri.call('UpdateContainerResources', { container_id: id, linux: { oom_score_adj: '400' } });
  await suite.cri.startContainer(id);
  expect(scoreOf(await pidOf(id))).toBe(400);
});

test('an oom_score_adj that no process can have is refused at creation and update', async () => {
  const refused = { code: grpcStatus.INVALID_ARGUMENT, details: expect.stringContaining('1001') };
  await expect(suite.create(pod, ['true'], limited({ oom_score_adj: '1001' }))).rejects.toMatchObject(refused);
  const id = await suite.run(pod, [...waiting], limited({ oom_score_adj: '500' }));
  await expect(suite.cri.call('UpdateContainerResources', { container_id: id, linux: { oom_score_adj: '-1001' } })).rejects.toMatchObject(refused);
  expect((await suite.cri.containerStatus(id)).resources?.linux).toMatchObject({ oom_score_adj: '500' });
});

test('a container that runs out of memory says OOMKilled in the first status that says exited', async () => {
  const limit = String(15 << 20);
  const status = await suite.finish(pod, ['sh', '-c', 'dd if=/dev/zero of=/dev/null bs=20M'], limited({ memory_limit_in_bytes: limit, memory_swap_limit_in_bytes: limit }));
  expect(status).toMatchObject({ exit_code: 137, reason: 'OOMKilled' });
});

test('an update reaches the cgroup and the status; what it leaves out stays', async () => {
  const id = await suite.run(pod, [...waiting], limited(asked));
  await suite.cri.call('UpdateContainerResources', { container_id: id, linux: { memory_limit_in_bytes: String(128 << 20), cpu_shares: '1024' } });
  expect(await cgroupFile(id, 'memory', 'memory.limit_in_bytes')).toBe(String(128 << 20));
  expect(await cgroupFile(id, 'cpu', 'cpu.cfs_quota_us')).toBe('25000');
  expect((await suite.cri.containerStatus(id)).resources?.linux).toMatchObject({ ...asked, memory_limit_in_bytes: String(128 << 20), cpu_shares: '1024' });
});

test('a created container can be updated before it starts', async () => {
  const id = await suite.create(pod, [...waiting], limited(asked));
  await suite.cri.call('UpdateContainerResources', { container_id: id, linux: { cpu_shares: '2048' } });
  await suite.cri.startContainer(id);
  expect(await cgroupFile(id, 'cpu', 'cpu.shares')).toBe('2048');
});

test('an update that the kernel refuses leaves everything as it was', async () => {
  const id = await suite.run(pod, [...waiting], limited(asked));
  await expect(suite.cri.call('UpdateContainerResources', { container_id: id, linux: { cpuset_cpus: '1000', oom_score_adj: '600' } })).rejects.toThrow();
  expect((await suite.cri.containerStatus(id)).resources?.linux).toMatchObject({ ...asked, cpuset_cpus: '', oom_score_adj: '0' });
  expect(scoreOf(await pidOf(id))).toBe(1);
});

test('an unknown container is not found', async () => {
  await expect(suite.cri.call('UpdateContainerResources', { container_id: 'f'.repeat(64), linux: { cpu_shares: '2' } })).rejects.toMatchObject({ code: grpcStatus.NOT_FOUND });
});

test('a cgroup parent in the spelling of the systemd driver is refused by a node with cgroupfs', async () => {
  const parent = '/kubepods.slice/kubepods-burstable.slice';
  const refused = { code: grpcStatus.INVALID_ARGUMENT, details: expect.stringContaining(parent) };
  await expect(suite.pod({ metadata: { name: 'slice', namespace: 'default', uid: 'slice', attempt: 0 }, linux: { cgroup_parent: parent } })).rejects.toMatchObject(refused);
  expect(await suite.cri.listPods()).not.toContainEqual(expect.objectContaining({ metadata: expect.objectContaining({ name: 'slice' }) }));
});
