import { beforeAll, describe, expect, test } from 'vitest';
import { expectNothingMoreThan, holdings } from '../holdings.ts';
import { waiting, type DebianNode } from '../node.ts';

const parents = {
  systemd: '/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podaa_1.slice',
  cgroupfs: '/kubepods/burstable/podaa_1',
} as const;

const mebibyte = 1 << 20;
const resources = {
  memory_limit_in_bytes: String(64 * mebibyte),
  memory_swap_limit_in_bytes: String(64 * mebibyte),
  cpu_quota: '50000',
  cpu_period: '100000',
  cpu_shares: '512',
  cpuset_cpus: '0',
  oom_score_adj: '500',
  unified: { 'pids.max': '77' },
};
const files = ['memory.max', 'memory.swap.max', 'cpu.max', 'cpuset.cpus', 'pids.max'].map((name) => `/sys/fs/cgroup/${name}`);

/** The kubelet makes a pod's cgroup and removes it when all in it are gone; as it would, this fails when one is left. */
async function removeParent(node: DebianNode, parent: string): Promise<void> {
  await expect.poll(async () => node.run(`find /sys/fs/cgroup${parent} -mindepth 1 -type d 2>/dev/null || true`), { timeout: 120_000, interval: 2000 }).toBe('');
  const top = parent.split('/')[1] ?? '';
  const remove = top.endsWith('.slice') ? `systemctl stop ${top}` : `find /sys/fs/cgroup/${top} -depth -type d -exec rmdir {} +`;
  await node.run(`[ ! -d /sys/fs/cgroup/${top} ] || ${remove}`);
}

/** Limits, stats and OOM kills under both drivers and both runtimes. */
export function limits(node: () => DebianNode): void {
  describe.each(['systemd', 'cgroupfs'] as const)('under the driver %s', (driver) => {
    const parent = parents[driver];
    beforeAll(async () => node().configure('driver', driver));

    test.each(['crun', 'runc'])('%s: limits are those asked for, an update is taken, and stats tell what is available', async (handler) => {
      const before = await holdings(node());
      const pod = await node().pod({ handler, parent });
      const container = await node().start(pod, waiting, { resources });
      const pid = await node().pidOf(container);
      expect(await node().run(`cat /proc/${pid}/cgroup`)).toMatch(new RegExp(`^0::${parent}/`));
      expect((await node().run(`cat /proc/${pid}/oom_score_adj`)).trim()).toBe('500');
      expect((await node().exec(container, 'cat', ...files)).split('\n')).toEqual([String(64 * mebibyte), '0', '50000 100000', '0', '77']);
      // `systemctl daemon-reload` writes a unit's own properties again.
      await node().run('systemctl daemon-reload');
      expect(await node().exec(container, 'cat', '/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/cpu.max')).toBe(`${64 * mebibyte}\n50000 100000`);
      const { memory } = await node().cri.call<{ stats: { memory: Readonly<Record<string, { value: string } | null>> } }>('ContainerStats', { container_id: container }).then(({ stats }) => stats);
      expect(Number(memory['available_bytes']?.value)).toBeGreaterThan(0);
      expect(Number(memory['available_bytes']?.value)).toBeLessThanOrEqual(64 * mebibyte);
      await node().cri.call('UpdateContainerResources', { container_id: container, linux: { ...resources, memory_limit_in_bytes: String(96 * mebibyte), memory_swap_limit_in_bytes: String(96 * mebibyte) } });
      expect(await node().exec(container, 'cat', '/sys/fs/cgroup/memory.max')).toBe(String(96 * mebibyte));
      await node().removePods();
      await removeParent(node(), parent);
      await expectNothingMoreThan(before, node());
    });

    test.each(['crun', 'runc'])('%s: eight of eight that the kernel kills for their memory are OOMKilled', async (handler) => {
      const before = await holdings(node());
      const pod = await node().pod({ handler, parent });
      const greedy = { resources: { memory_limit_in_bytes: String(32 * mebibyte), memory_swap_limit_in_bytes: String(32 * mebibyte) } };
      const reasons: string[] = [];
      for (let round = 0; round < 8; round += 1) {
        const { reason, exit_code: code } = await node().reaches(await node().start(pod, ['tail', '/dev/zero'], greedy), 'CONTAINER_EXITED');
        reasons.push(`${reason} ${code}`);
      }
      expect(reasons).toEqual(Array.from({ length: 8 }, () => 'OOMKilled 137'));
      await node().removePods();
      await removeParent(node(), parent);
      await expectNothingMoreThan(before, node());
    });

    test.each(['crun', 'runc'])('%s: a container of a pod that shares its processes leaves no cgroup, whatever outlives its first process', async (handler) => {
      const before = await holdings(node());
      for (let round = 0; round < 4; round += 1) {
        const pod = await node().pod({ handler, parent, sharedProcesses: true });
        const container = await node().start(pod, ['sh', '-c', 'sleep 1000 & sleep 1001 & wait']);
        await node().cri.stopContainer(container, 0);
        await node().cri.removeContainer(container);
        await node().cri.stopPod(pod.id);
        await node().cri.removePod(pod.id);
      }
      await removeParent(node(), parent);
      await expectNothingMoreThan(before, node());
    });

    test('a pod without a parent goes to the place of its driver and leaves nothing', async () => {
      const before = await holdings(node());
      const pod = await node().pod({ sharedProcesses: true });
      const container = await node().start(pod, waiting);
      expect(await node().run(`cat /proc/${await node().pidOf(container)}/cgroup`)).toMatch(driver === 'systemd' ? /^0::\/berth\.slice\// : /^0::\/berth\//);
      await node().removePods();
      await expectNothingMoreThan(before, node());
    });
  });

  describe('parents that the kubelet would not send', () => {
    beforeAll(async () => node().configure('driver', 'systemd'));

    test('a short slice name stands for its whole path, for containers, the pause process and stats alike', async () => {
      const before = await holdings(node());
      const pod = await node().pod({ parent: 'my-test.slice', sharedProcesses: true });
      const container = await node().start(pod, waiting);
      expect(await node().run(`cat /proc/${await node().pidOf(container)}/cgroup`)).toMatch(/^0::\/my\.slice\/my-test\.slice\//);
      expect(await node().run('ls -d /sys/fs/cgroup/my-test.slice 2>&1 || true')).toContain('No such file');
      const { stats } = await node().cri.call<{ stats: { linux: { process: { process_count: { value: string } | null } | null } } }>('PodSandboxStats', { pod_sandbox_id: pod.id });
      expect(Number(stats.linux.process?.process_count?.value)).toBeGreaterThanOrEqual(2);
      await node().removePods();
      await removeParent(node(), '/my.slice/my-test.slice');
      await expectNothingMoreThan(before, node());
    });

    test('a parent of the other driver is refused and leaves nothing', async () => {
      const before = await holdings(node());
      await expect(node().pod({ parent: '/test' })).rejects.toThrow(/\/test/);
      await expectNothingMoreThan(before, node());
    });
  });
}
