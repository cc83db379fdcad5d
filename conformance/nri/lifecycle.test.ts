import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { waiting } from '../cri/suite.ts';
import { NriSuite, stays } from './nri-suite.ts';
import { noPlugin } from './plugin-process.ts';

describe.skipIf(noPlugin !== undefined)('NRI events', () => {
  let nri: NriSuite;
  beforeAll(async () => {
    nri = await NriSuite.start();
  });
  afterEach(async () => nri.reset());
  afterAll(async () => nri.close());

  test('a pod: run, stop and remove, in this order, with its names', async () => {
    const plugin = await nri.plugin();
    const pod = await nri.cri.pod();
    await nri.cri.cri.stopPod(pod.id);
    await nri.cri.cri.removePod(pod.id);
    expect(plugin.about(pod.id)).toEqual(['RunPodSandbox', 'StopPodSandbox', 'RemovePodSandbox']);
    const { name, namespace, uid } = pod.config.metadata;
    const told = (await plugin.heard('RunPodSandbox', pod.id)).pod;
    expect(told).toMatchObject({ name, namespace, uid, labels: pod.config.labels, runtimeHandler: 'crun' });
    expect(told?.['ips']).toHaveLength(1);
  });

  test('a container: create, start, stop and remove, in this order, with its name', async () => {
    const plugin = await nri.plugin();
    const pod = await nri.cri.pod();
    const id = await nri.cri.run(pod, [...waiting], { metadata: { name: 'main' } });
    await nri.cri.cri.stopContainer(id, 10);
    await nri.cri.cri.removeContainer(id);
    expect(plugin.about(id)).toEqual(['CreateContainer', 'ValidateContainerAdjustment', 'PostCreateContainer', 'StartContainer', 'PostStartContainer', 'StopContainer', 'RemoveContainer']);
    const about = plugin.events.filter(({ container }) => container !== undefined);
    expect(about.map(({ container, pod: of }) => [container?.name, of?.id])).toEqual(about.map(() => ['main', pod.id]));
    expect((await plugin.heard('CreateContainer')).container).toMatchObject({ podSandboxId: pod.id, args: [...waiting] });
    expect((await plugin.heard('PostStartContainer')).container).toMatchObject({ state: 'CONTAINER_RUNNING', pid: expect.any(Number) });
  });

  test('a container that fails by itself: plugins hear of its end without a removal', async () => {
    const plugin = await nri.plugin();
    const pod = await nri.cri.pod();
    const { id } = await nri.cri.finish(pod, ['sh', '-c', 'exit 7']);
    const stop = await plugin.heard('StopContainer', id);
    expect(stop.container).toMatchObject({ state: 'CONTAINER_STOPPED', exitCode: 7 });
    expect(plugin.about(id)).not.toContain('RemoveContainer');
    await nri.cri.cri.removeContainer(id);
    expect(plugin.about(id).slice(-2)).toEqual(['StopContainer', 'RemoveContainer']);
    expect(plugin.count('StopContainer', id)).toBe(1);
  });

  test('a container that was never started ends for plugins when it is removed', async () => {
    const plugin = await nri.plugin();
    const pod = await nri.cri.pod();
    const id = await nri.cri.create(pod, [...waiting]);
    await nri.cri.cri.removeContainer(id);
    expect(plugin.about(id)).toEqual(['CreateContainer', 'ValidateContainerAdjustment', 'PostCreateContainer', 'StopContainer', 'RemoveContainer']);
  });

  test('plugins hear events in the order of their indices, whenever they came', async () => {
    const late = await nri.plugin('-index=90', '-name=late');
    const early = await nri.plugin('-index=05', '-name=early', '-delay=RunPodSandbox=200ms');
    const pod = await nri.cri.pod();
    const [first, second] = [await early.heard('RunPodSandbox', pod.id), await late.heard('RunPodSandbox', pod.id)];
    expect(Number(second['at']) - Number(first['at'])).toBeGreaterThan(190_000);
  });

  test('a plugin hears only of what it subscribed to', async () => {
    const plugin = await nri.plugin('-events=StartContainer,RemovePodSandbox');
    const pod = await nri.cri.pod();
    await nri.cri.run(pod, [...waiting]);
    await nri.cri.cri.stopPod(pod.id);
    await nri.cri.cri.removePod(pod.id);
    expect(plugin.events.slice(2).map(({ event }) => event)).toEqual(['StartContainer', 'RemovePodSandbox']);
  });

  test('a pod is not shown and takes no container while plugins are asked about it', async () => {
    const gate = nri.gate();
    const plugin = await nri.plugin(`-hold=RunPodSandbox=${gate.path}`);
    const running = nri.cri.pod();
    const { pod } = await plugin.heard('RunPodSandbox');
    const id = pod?.id ?? '';
    expect(await nri.cri.cri.listPods()).toEqual([]);
    await expect(nri.cri.cri.podStatus(id)).rejects.toThrow('NOT_FOUND');
    await expect(nri.cri.create({ id, config: {} as never }, [...waiting])).rejects.toThrow();
    gate.open();
    const made = await running;
    expect(made.id).toBe(id);
    expect((await nri.cri.cri.podStatus(id)).state).toBe('SANDBOX_READY');
    expect(await nri.cri.run(made, [...waiting])).toHaveLength(64);
  });

  test('a pod that a plugin refuses leaves nothing and can be tried again', async () => {
    const plugin = await nri.plugin('-fail=RunPodSandbox=1');
    nri.cri.node.markClean();
    const name = { metadata: { name: 'twice', namespace: 'default', uid: 'u1', attempt: 0 } };
    await expect(nri.cri.pod(name)).rejects.toThrow(/10-recorder.*RunPodSandbox fails on purpose/);
    expect(await nri.cri.cri.listPods()).toEqual([]);
    const refused = (await plugin.heard('RunPodSandbox')).pod?.id ?? '';
    expect(plugin.about(refused)).toEqual(['RunPodSandbox', 'StopPodSandbox', 'RemovePodSandbox']);
    const leaks = await nri.cri.node.leaks();
    expect(Object.values(leaks).flat()).toEqual([]);
    const pod = await nri.cri.pod(name);
    expect((await nri.cri.cri.podStatus(pod.id)).state).toBe('SANDBOX_READY');
  });

  test('when plugins hear that a pod stops, its containers have ended and it is still there', async () => {
    const gate = nri.gate();
    const plugin = await nri.plugin(`-hold=StopPodSandbox=${gate.path}`);
    const pod = await nri.cri.pod();
    const id = await nri.cri.run(pod, [...waiting]);
    const stopping = nri.cri.cri.stopPod(pod.id);
    await plugin.heard('StopPodSandbox', pod.id);
    expect((await nri.cri.cri.listContainers()).map((one) => [one.id, one.state])).toEqual([[id, 'CONTAINER_EXITED']]);
    expect((await nri.cri.cri.podStatus(pod.id)).id).toBe(pod.id);
    expect(plugin.about(id)).toContain('StopContainer');
    gate.open();
    await stopping;
  });

  test('a pod stops once for plugins and takes no container any more', async () => {
    const plugin = await nri.plugin();
    const pod = await nri.cri.pod();
    await nri.cri.cri.stopPod(pod.id);
    await nri.cri.cri.stopPod(pod.id);
    await expect(nri.cri.create(pod, [...waiting])).rejects.toThrow();
    await stays(() => {
      expect(plugin.about(pod.id)).toEqual(['RunPodSandbox', 'StopPodSandbox']);
      expect(plugin.count('CreateContainer')).toBe(0);
    });
  });

  test('a container is not shown while plugins are asked about it', async () => {
    const gate = nri.gate();
    const plugin = await nri.plugin(`-hold=CreateContainer=${gate.path}`);
    const pod = await nri.cri.pod();
    const creating = nri.cri.create(pod, [...waiting]);
    const id = (await plugin.heard('CreateContainer')).container?.id ?? '';
    expect(await nri.cri.cri.listContainers()).toEqual([]);
    await expect(nri.cri.cri.containerStatus(id)).rejects.toThrow('NOT_FOUND');
    gate.open();
    expect(await creating).toBe(id);
    expect((await nri.cri.cri.containerStatus(id)).state).toBe('CONTAINER_CREATED');
  });

  test('a container that a plugin refuses leaves nothing and can be tried again', async () => {
    const plugin = await nri.plugin('-fail=CreateContainer=1');
    const pod = await nri.cri.pod();
    nri.cri.node.markClean();
    const named = { metadata: { name: 'twice' } };
    await expect(nri.cri.create(pod, [...waiting], named)).rejects.toThrow('CreateContainer fails on purpose');
    expect(await nri.cri.cri.listContainers()).toEqual([]);
    const refused = (await plugin.heard('CreateContainer')).container?.id ?? '';
    expect(plugin.about(refused)).toEqual(['CreateContainer', 'StopContainer', 'RemoveContainer']);
    const leaks = await nri.cri.node.leaks();
    expect(Object.values(leaks).flat()).toEqual([]);
    const id = await nri.cri.run(pod, [...waiting], named);
    await nri.cri.cri.stopContainer(id);
    await nri.cri.cri.removeContainer(id);
  });

  test('a start that a plugin refuses fails and is final', async () => {
    const plugin = await nri.plugin('-fail=StartContainer=1');
    const pod = await nri.cri.pod();
    const id = await nri.cri.create(pod, [...waiting]);
    await expect(nri.cri.cri.startContainer(id)).rejects.toThrow('StartContainer fails on purpose');
    expect(await nri.cri.cri.containerStatus(id)).toMatchObject({ state: 'CONTAINER_EXITED', reason: 'StartError', exit_code: 128 });
    await plugin.heard('StopContainer', id);
    expect(plugin.about(id)).not.toContain('PostStartContainer');
  });
});
