import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { grpcStatus } from '../fixtures/cri.ts';
import type { ContainerConfig } from '../fixtures/cri-types.ts';
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

async function pidOf(id: string): Promise<number> {
  const { info } = await suite.cri.call<{ info: Record<string, string> }>('ContainerStatus', { container_id: id, verbose: true });
  return (JSON.parse(info['info'] ?? '') as { pid: number }).pid;
}

/** A file of the process's cgroup in a version 1 hierarchy, or of the one hierarchy of version 2. */
async function cgroupFile(id: string, controller: string, name: string): Promise<string> {
  const lines = readFileSync(`/proc/${await pidOf(id)}/cgroup`, 'utf8').split('\n').map((line) => line.split(':'));
  const path = lines.find(([, controllers]) => controllers?.split(',').includes(controller))?.[2];
  if (path === undefined) throw new Error(`no cgroup of ${controller}`);
  return readFileSync(join('/sys/fs/cgroup', controller, path, name), 'utf8').trim();
}

const asked = { cpu_period: '50000', cpu_quota: '25000', cpu_shares: '512', memory_limit_in_bytes: String(64 << 20) };

test('limits reach the cgroup and the status', async () => {
  const id = await suite.run(pod, [...waiting], limited(asked));
  expect(await cgroupFile(id, 'memory', 'memory.limit_in_bytes')).toBe(asked.memory_limit_in_bytes);
  expect(await cgroupFile(id, 'cpu', 'cpu.shares')).toBe('512');
  expect([await cgroupFile(id, 'cpu', 'cpu.cfs_period_us'), await cgroupFile(id, 'cpu', 'cpu.cfs_quota_us')]).toEqual(['50000', '25000']);
  expect((await suite.cri.containerStatus(id)).resources?.linux).toMatchObject(asked);
});

test('containers live below the cgroup of their pod', async () => {
  const id = await suite.run(pod, [...waiting]);
  expect(readFileSync(`/proc/${await pidOf(id)}/cgroup`, 'utf8')).toContain(`${suite.node.scratch.cgroup}/${id}`);
});

test('oom_score_adj is set', async () => {
  const id = await suite.run(pod, [...waiting], limited({ oom_score_adj: '500' }));
  expect(readFileSync(`/proc/${await pidOf(id)}/oom_score_adj`, 'utf8').trim()).toBe('500');
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
  await expect(suite.cri.call('UpdateContainerResources', { container_id: id, linux: { cpuset_cpus: '1000' } })).rejects.toThrow();
  expect((await suite.cri.containerStatus(id)).resources?.linux).toMatchObject({ ...asked, cpuset_cpus: '' });
});

test('an unknown container is not found', async () => {
  await expect(suite.cri.call('UpdateContainerResources', { container_id: 'f'.repeat(64), linux: { cpu_shares: '2' } })).rejects.toMatchObject({ code: grpcStatus.NOT_FOUND });
});
