import { existsSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { waiting } from '../cri/suite.ts';
import { grpcStatus } from '../fixtures/cri.ts';
import { podConfig } from '../fixtures/pods.ts';
import { NriSuite } from './nri-suite.ts';
import { noPlugin } from './plugin-process.ts';

describe.skipIf(noPlugin !== undefined)('NRI plugins that fail', () => {
  const requestTimeoutMs = 700;
  const pluginDelayMs = 30_000;
  let nri: NriSuite;
  beforeAll(async () => {
    nri = await NriSuite.start({ nri: { request_timeout: `${requestTimeoutMs}ms`, registration_timeout: '500ms' } });
  });
  afterEach(async () => nri.reset());
  afterAll(async () => nri.close());

  async function timed<Result>(work: Promise<Result>): Promise<readonly [Result, number]> {
    const began = Date.now();
    return [await work, Date.now() - began];
  }

  test('a plugin that does not answer is disconnected, and the pod starts without it', async () => {
    const slow = await nri.plugin('-index=10', '-name=slow', `-delay=RunPodSandbox=${pluginDelayMs}ms`);
    const good = await nri.plugin('-index=20', '-name=good');
    const [pod, ms] = await timed(nri.cri.pod());
    expect(ms).toBeGreaterThan(requestTimeoutMs - 50);
    expect(ms).toBeLessThan(pluginDelayMs);
    await slow.heard('Failed');
    expect(good.about(pod.id)).toEqual(['RunPodSandbox']);
    const next = await nri.cri.pod({ metadata: { name: 'next', namespace: 'default', uid: 'n', attempt: 0 } });
    expect(slow.about(next.id)).toEqual([]);
  });

  /** Pods' and containers' lives in the order of the calls that tell of them. */
  const events = ['RunPodSandbox', 'CreateContainer', 'PostCreateContainer', 'StartContainer', 'PostStartContainer', 'UpdateContainer', 'PostUpdateContainer', 'StopContainer', 'RemoveContainer', 'UpdatePodSandbox', 'PostUpdatePodSandbox', 'StopPodSandbox', 'RemovePodSandbox'];

  test.each(events)('a plugin that hangs in %s is told no more, and all calls succeed without it', async (event) => {
    const hung = await nri.plugin('-index=10', '-name=hung', `-delay=${event}=1h`);
    const good = await nri.plugin('-index=20', '-name=good');
    const pod = await nri.cri.pod();
    const id = await nri.cri.run(pod, [...waiting]);
    await nri.cri.cri.call('UpdateContainerResources', { container_id: id, linux: { cpu_shares: '100' } });
    await nri.cri.cri.stopContainer(id);
    await nri.cri.cri.removeContainer(id);
    await nri.cri.cri.call('UpdatePodSandboxResources', { pod_sandbox_id: pod.id });
    await nri.cri.cri.stopPod(pod.id);
    await nri.cri.cri.removePod(pod.id);
    await hung.heard('Failed');
    const told = (plugin: typeof good): readonly string[] => plugin.events.map((heard) => heard.event).filter((heard) => events.includes(heard));
    expect(told(hung)).toEqual(events.slice(0, events.indexOf(event) + 1));
    expect(told(good)).toEqual(events);
  });

  test('a plugin that hangs is dropped by callers that wait less than it may take, too', async () => {
    const hung = await nri.plugin('-delay=RunPodSandbox=1h');
    const impatient = nri.cri.cri.call('RunPodSandbox', { config: podConfig(nri.cri.node.scratch, 'impatient') }, 300);
    await expect(impatient).rejects.toMatchObject({ code: grpcStatus.DEADLINE_EXCEEDED });
    await hung.heard('Failed');
    expect((await nri.cri.pod()).id).toHaveLength(64);
  });

  test('a plugin that dies in the middle of a call holds nothing up', async () => {
    const dying = await nri.plugin('-exit=CreateContainer=');
    const pod = await nri.cri.pod();
    const id = await nri.cri.run(pod, [...waiting]);
    // Its end was noticed, and not that its time was over.
    expect(nri.cri.node.log().split('\n').findLast((line) => line.includes('did not answer CreateContainer'))).toMatch(/closed/);
    expect(dying.about(id)).toEqual(['CreateContainer']);
    expect((await nri.cri.cri.containerStatus(id)).state).toBe('CONTAINER_RUNNING');
  });

  test('a plugin killed while many pods wait for it lets all of them go on', async () => {
    const gate = nri.gate();
    const plugin = await nri.plugin(`-hold=RunPodSandbox=${gate.path}`);
    const pods = Array.from({ length: 6 }, async (_, index) => nri.cri.pod({ metadata: { name: `p${index}`, namespace: 'default', uid: `u${index}`, attempt: 0 } }));
    await plugin.heard('RunPodSandbox');
    await plugin.close();
    expect(await Promise.all(pods)).toHaveLength(6);
  });

  test('a validator that does not answer has not agreed', async () => {
    await nri.plugin('-events=ValidateContainerAdjustment', `-delay=ValidateContainerAdjustment=${pluginDelayMs}ms`);
    const pod = await nri.cri.pod();
    await expect(nri.cri.create(pod, [...waiting])).rejects.toThrow(/validates containers, did not answer/);
  });

  test('a plugin that hangs while it is told what exists holds nothing up for long', async () => {
    const plugin = nri.starting(`-delay=Synchronize=${pluginDelayMs}ms`);
    await plugin.heard('Synchronize');
    const [pod, ms] = await timed(nri.cri.pod());
    expect(ms).toBeLessThan(pluginDelayMs);
    expect(plugin.about(pod.id)).toEqual([]);
  });

  test('whoever connects and does not register is sent away', async () => {
    const socket = connect(nri.socket);
    await once(socket, 'connect');
    const [, ms] = await timed(once(socket, 'close'));
    expect(ms).toBeGreaterThan(400);
  });

  test('what is no NRI is sent away at once', async () => {
    const [silent, socket] = [connect(nri.socket), connect(nri.socket)];
    await Promise.all([once(silent, 'connect'), once(socket, 'connect')]);
    socket.on('error', () => undefined);
    const waits = once(silent, 'close').then(() => 'the one that still may register');
    socket.write(Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'));
    expect(await Promise.race([waits, once(socket, 'close').then(() => 'this one')])).toBe('this one');
    await waits;
  });

  test('a name or index that is none is refused', async () => {
    const plugin = nri.starting('-index=1');
    expect(await plugin.heard('Failed')).toMatchObject({ error: expect.stringContaining('use two digits') });
  });

  test('errors of what has happened already fail no call and hide it from no other plugin', async () => {
    await nri.plugin('-index=10', '-name=broken', '-fail=StopPodSandbox=9', '-fail=RemovePodSandbox=9', '-fail=StopContainer=9', '-fail=RemoveContainer=9', '-fail=PostStartContainer=9', '-fail=PostCreateContainer=9');
    const good = await nri.plugin('-index=20', '-name=good');
    const pod = await nri.cri.pod();
    const id = await nri.cri.run(pod, [...waiting]);
    await nri.cri.cri.stopContainer(id);
    await nri.cri.cri.removeContainer(id);
    await nri.cri.cri.stopPod(pod.id);
    await nri.cri.cri.removePod(pod.id);
    expect(await nri.cri.cri.listPods()).toEqual([]);
    expect(good.about(id)).toEqual(['CreateContainer', 'ValidateContainerAdjustment', 'PostCreateContainer', 'StartContainer', 'PostStartContainer', 'StopContainer', 'RemoveContainer']);
    expect(good.about(pod.id)).toEqual(['RunPodSandbox', 'StopPodSandbox', 'RemovePodSandbox']);
  });

  test('the socket is for root alone', () => {
    expect(statSync(nri.socket).mode & 0o777).toBe(0o600);
  });

  test('there is no socket where plugins are not wanted', async () => {
    const off = await NriSuite.start({ nri: { enable: false } });
    try {
      expect(existsSync(off.socket)).toBe(false);
      expect((await off.cri.pod()).id).toHaveLength(64);
    } finally {
      await off.close();
    }
  });
});
