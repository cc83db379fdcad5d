import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { noHoldings } from '../../fixtures/leaks.ts';
import { nodeName } from '../../kubelet/configuration.ts';
import type { Cluster } from '../cluster.ts';
import { controller, pod, waiter, webServer } from '../manifests.ts';
import { remainsOf, type Traces } from '../remains.ts';
import { buildTimeoutMs, isReady, noCluster, startCluster, type PodStatus } from './suite.ts';

interface Node {
  readonly status: { readonly conditions?: readonly { readonly type: string; readonly lastHeartbeatTime: string }[] };
}

/** What must not change of pods when the node's daemons come back. */
const identity = (pods: readonly PodStatus[]): object =>
  pods
    .map(({ metadata, status }) => ({
      name: metadata.name,
      uid: metadata.uid,
      ip: status.podIP,
      containers: (status.containerStatuses ?? []).map(({ name, containerID, restartCount, state }) => ({ name, containerID, restartCount, startedAt: state.running?.startedAt })),
    }))
    .toSorted((one, other) => one.name.localeCompare(other.name));

describe.skipIf(noCluster)('the life of a node on berth', () => {
  let cluster: Cluster;
  let traces: Traces;

  beforeAll(async () => {
    cluster = await startCluster();
    ({ traces } = cluster);
    const spec = { containers: [webServer(cluster.busybox), waiter(cluster.busybox, 'side')] };
    await cluster.kubectl.apply(controller({ kind: 'Deployment', name: 'web', spec, over: { replicas: 6 } }), controller({ kind: 'DaemonSet', name: 'agent', spec: { containers: [waiter(cluster.busybox)] } }));
    for (const name of ['deployment/web', 'daemonset/agent']) await cluster.kubectl.run(['rollout', 'status', name]);
  }, buildTimeoutMs);
  afterAll(async () => cluster?.close());

  const pods = async (): Promise<readonly PodStatus[]> => {
    const all = await cluster.kubectl.list<PodStatus>('pods', 'app in (web, agent)');
    return all.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  };

  /** Until a kubelet has reported that started after this call. */
  const reported = async (): Promise<void> => {
    const since = Date.now();
    await cluster.kubectl.until<Node>('node', nodeName, ({ status }) => status.conditions?.some(({ type, lastHeartbeatTime }) => type === 'Ready' && Date.parse(lastHeartbeatTime) > since) ?? false);
    await cluster.nodeReady();
  };

  /** Long enough for a kubelet that misunderstands what it finds to act on it. */
  const settled = async (): Promise<readonly PodStatus[]> => {
    await sleep(8000);
    return pods();
  };

  test.each([
    { what: 'the kubelet', kill: async (): Promise<unknown> => cluster.kubelet.kill() },
    { what: 'berthd', kill: async (): Promise<unknown> => cluster.node.kill() },
    { what: 'the kubelet and berthd', kill: async (): Promise<unknown> => Promise.all([cluster.kubelet.kill(), cluster.node.kill()]) },
  ])('$what killed and started again: the same pods, no container restarted', async ({ what, kill }) => {
    const before = await pods();
    expect(before.filter(isReady)).toHaveLength(7);
    await kill();
    await sleep(1000);
    if (what.includes('berthd')) await cluster.node.startAgain();
    if (what.includes('kubelet')) cluster.kubelet.startAgain();
    await reported();
    const after = await settled();
    expect(identity(after)).toEqual(identity(before));
    expect(after.filter(isReady)).toHaveLength(7);
    for (const { metadata, status } of after.filter(({ metadata: { name } }) => name.startsWith('web'))) {
      expect((await fetch(`http://${status.podIP}/`)).ok).toBe(true);
      expect(await cluster.kubectl.run(['exec', metadata.name, '-c', 'side', '--', 'hostname'])).toBe(`${metadata.name}\n`);
      expect(await cluster.kubectl.run(['logs', metadata.name, '-c', 'web'])).toBe('web starts\n');
    }
  });

  test('a container that dies while both are away is found dead and started again', async () => {
    await cluster.kubectl.apply(pod('mortal', { containers: [{ name: 'main', image: cluster.busybox, command: ['sh', '-c', 'sleep 4; exit 5'] }] }));
    await cluster.kubectl.until<PodStatus>('pod', 'mortal', isReady);
    await Promise.all([cluster.kubelet.kill(), cluster.node.kill()]);
    await sleep(5000);
    await cluster.node.startAgain();
    cluster.kubelet.startAgain();
    await reported();
    const after = await cluster.kubectl.until<PodStatus>('pod', 'mortal', ({ status }) => (status.containerStatuses?.[0]?.restartCount ?? 0) >= 1);
    expect(after.status.containerStatuses?.[0]?.lastState.terminated).toMatchObject({ exitCode: 5 });
    await cluster.kubectl.run(['delete', 'pod', 'mortal']);
  });

  test('when all on the node was killed at once, the same pods come back with new containers', async () => {
    const before = await pods();
    await Promise.all([cluster.kubelet.kill(), cluster.node.killWithPods()]);
    await cluster.node.startAgain();
    cluster.kubelet.startAgain();
    for (const { metadata, status } of before) {
      const again = (seen: PodStatus): boolean => isReady(seen) && (seen.status.containerStatuses ?? []).every(({ restartCount }) => restartCount === 1);
      const after = await cluster.kubectl.until<PodStatus>('pod', metadata.name, again);
      expect(after.metadata.uid).toBe(metadata.uid);
      expect(after.status.containerStatuses?.map(({ lastState }) => lastState.terminated)).toEqual(status.containerStatuses?.map(() => expect.objectContaining({ exitCode: 137, reason: 'Error' })));
    }
    expect((await pods()).map(({ metadata }) => metadata.uid).toSorted()).toEqual(before.map(({ metadata }) => metadata.uid).toSorted());
  }, 120_000);

  test('a drained node keeps only its daemon set, and takes the pods again', async () => {
    await cluster.kubectl.run(['drain', nodeName, '--ignore-daemonsets', '--timeout=60s']);
    const left = (await cluster.kubectl.list<PodStatus>('pods', 'app in (web, agent)')).filter(({ spec }) => spec.nodeName === nodeName);
    expect(left.map(({ metadata }) => metadata.name)).toEqual([expect.stringMatching(/^agent-/)]);
    await cluster.kubectl.run(['uncordon', nodeName]);
    await cluster.kubectl.run(['rollout', 'status', 'deployment/web']);
  }, 120_000);

  test('all that is deleted leaves nothing on the node', async () => {
    await cluster.kubectl.run(['delete', 'deployment/web', 'daemonset/agent', '--cascade=foreground']);
    await cluster.kubectl.run(['wait', '--for=delete', 'pod', '-l', 'app in (web, agent)']);
    expect(await cluster.node.leaks(80_000)).toEqual(noHoldings);
  }, 150_000);

  test('a cluster that is taken down with pods on it leaves nothing on the machine', async () => {
    await cluster.kubectl.apply(controller({ kind: 'Deployment', name: 'last', spec: { containers: [waiter(cluster.busybox)] }, over: { replicas: 5 } }));
    await cluster.kubectl.run(['rollout', 'status', 'deployment/last']);
    await cluster.close();
    expect(remainsOf(traces)).toEqual([]);
  });
});
