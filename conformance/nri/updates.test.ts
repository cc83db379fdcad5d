import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { cgroupFile } from '../cri/cgroup-file.ts';
import { waiting } from '../cri/suite.ts';
import { NriSuite } from './nri-suite.ts';
import { noPlugin } from './plugin-process.ts';

describe.skipIf(noPlugin !== undefined)('NRI updates', () => {
  let nri: NriSuite;
  beforeAll(async () => {
    nri = await NriSuite.start();
  });
  afterEach(async () => nri.reset());
  afterAll(async () => nri.close());

  const change = (on: string, container: string, resources: object): string => `-change=${JSON.stringify({ on, container, resources })}`;
  const shares = (id: string): Promise<string> => cgroupFile(nri.cri.cri, id, ['cpu', 'cpu.shares']);
  const update = (id: string, linux: object): Promise<object> => nri.cri.cri.call('UpdateContainerResources', { container_id: id, linux });

  test('an update goes through plugins, which may change it', async () => {
    const plugin = await nri.plugin(change('UpdateContainer', '', { cpu: { quota: { value: 40_000 } } }));
    const pod = await nri.cri.pod();
    const id = await nri.cri.run(pod, [...waiting]);
    await update(id, { cpu_shares: 600, cpu_period: 100_000, cpu_quota: 20_000 });
    expect((await plugin.heard('UpdateContainer', id))['resources']).toMatchObject({ cpu: { shares: { value: '600' }, quota: { value: '20000' } } });
    expect([await shares(id), await cgroupFile(nri.cri.cri, id, ['cpu', 'cpu.cfs_quota_us'])]).toEqual(['600', '40000']);
    expect((await nri.cri.cri.containerStatus(id)).resources?.linux).toMatchObject({ cpu_shares: '600', cpu_quota: '40000' });
    expect(plugin.about(id).slice(-2)).toEqual(['UpdateContainer', 'PostUpdateContainer']);
  });

  test('an update that a plugin refuses changes nothing', async () => {
    await nri.plugin('-fail=UpdateContainer=1');
    const pod = await nri.cri.pod();
    const id = await nri.cri.run(pod, [...waiting], { linux: { resources: { cpu_shares: '222' } } });
    await expect(update(id, { cpu_shares: 600 })).rejects.toThrow('UpdateContainer fails on purpose');
    expect(await shares(id)).toBe('222');
  });

  test.each(['CreateContainer', 'StopContainer'])('the answer to %s may change another container', async (event) => {
    const pod = await nri.cri.pod();
    const bystander = await nri.cri.run(pod, [...waiting], { metadata: { name: 'bystander' } });
    await nri.plugin(change(event, 'bystander', { cpu: { shares: { value: 777 } } }));
    const other = await nri.cri.run(pod, [...waiting]);
    if (event === 'StopContainer') {
      expect(await shares(bystander)).not.toBe('777');
      await nri.cri.cri.stopContainer(other);
    }
    expect(await shares(bystander)).toBe('777');
  });

  test('a container cannot be updated by the answer to its own creation', async () => {
    await nri.plugin(change('CreateContainer', '', { cpu: { shares: { value: 777 } } }));
    const pod = await nri.cri.pod();
    await expect(nri.cri.create(pod, [...waiting])).rejects.toThrow('while that is being created');
  });

  test('a plugin may change a container whenever it likes', async () => {
    const plugin = await nri.plugin();
    const pod = await nri.cri.pod();
    const id = await nri.cri.run(pod, [...waiting], { metadata: { name: 'target' } });
    expect(await plugin.update('target', { cpu: { shares: { value: 888 } } })).toMatchObject({ failed: 0, error: '<nil>' });
    expect(await shares(id)).toBe('888');
    expect(plugin.about(id)).not.toContain('UpdateContainer');
    await nri.cri.cri.stopContainer(id);
    expect(await plugin.update('target', { cpu: { shares: { value: 999 } } })).toMatchObject({ failed: 1, error: '<nil>' });
  });

  test('new resources of a pod go through plugins, are recorded and outlive berthd', async () => {
    const plugin = await nri.plugin();
    const pod = await nri.cri.pod();
    await nri.cri.cri.call('UpdatePodSandboxResources', { pod_sandbox_id: pod.id, overhead: { cpu_shares: 3 }, resources: { cpu_shares: 512, memory_limit_in_bytes: 1 << 26 } });
    expect(plugin.about(pod.id)).toEqual(['RunPodSandbox', 'UpdatePodSandbox', 'PostUpdatePodSandbox']);
    expect(await plugin.heard('UpdatePodSandbox')).toMatchObject({ overhead: { cpu: { shares: { value: '3' } } }, resources: { memory: { limit: { value: String(1 << 26) } } } });
    expect((await plugin.heard('PostUpdatePodSandbox')).pod).toMatchObject({ linux: { podResources: { cpu: { shares: { value: '512' } } } } });
    const recorded = async (): Promise<unknown> => {
      const { info } = await nri.cri.cri.call<{ info: Record<string, string> }>('PodSandboxStatus', { pod_sandbox_id: pod.id, verbose: true });
      return JSON.parse(info['info'] ?? '{}');
    };
    const expected = { config: { linux: { overhead: { cpu_shares: 3 }, resources: { cpu_shares: 512, memory_limit_in_bytes: 1 << 26 } } } };
    expect(await recorded()).toMatchObject(expected);
    await nri.cri.node.kill();
    await nri.cri.node.startAgain();
    expect(await recorded()).toMatchObject(expected);
  });

  test('new resources of a pod that a plugin refuses are not recorded; an unknown pod is NotFound', async () => {
    await nri.plugin('-fail=UpdatePodSandbox=1');
    const pod = await nri.cri.pod();
    const call = (id: string): Promise<object> => nri.cri.cri.call('UpdatePodSandboxResources', { pod_sandbox_id: id, resources: { cpu_shares: 512 } });
    await expect(call(pod.id)).rejects.toThrow('UpdatePodSandbox fails on purpose');
    const { info } = await nri.cri.cri.call<{ info: Record<string, string> }>('PodSandboxStatus', { pod_sandbox_id: pod.id, verbose: true });
    expect(JSON.parse(info['info'] ?? '{}')).not.toMatchObject({ config: { linux: { resources: { cpu_shares: 512 } } } });
    await expect(call('nowhere')).rejects.toThrow('NOT_FOUND');
  });
});
