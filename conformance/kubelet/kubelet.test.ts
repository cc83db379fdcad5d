import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startContainerd } from '../fixtures/containerd.ts';
import { grpcStatus } from '../fixtures/cri.ts';
import { startBerth } from '../fixtures/daemon.ts';
import { freePort } from '../fixtures/free-port.ts';
import { noHoldings } from '../fixtures/leaks.ts';
import type { NodeDaemon } from '../fixtures/node-daemon.ts';
import { Registry } from '../fixtures/registry.ts';
import { TestImages } from '../fixtures/test-images.ts';
import { buildPeers, whyNotBuildable } from '../peers/build.ts';
import { Kubelet } from './kubelet.ts';
import type { KubeContainerStatus, KubePod } from './kubelet-api.ts';
import { runtimeErrors, type Outage } from './kubelet-errors.ts';
import { crashingPod, fullPod, hungryPod } from './pods.ts';

const unbuildable = whyNotBuildable();
if (unbuildable !== undefined) console.log(`skipping the kubelet suite: ${unbuildable}`);

/** `containerd` proves the suite itself on a runtime that is known to work. */
const runtime = process.env['KUBELET_SUITE_RUNTIME'] ?? 'berth';

const isReady = ({ status }: KubePod): boolean => status.conditions?.some(({ type, status: met }) => type === 'Ready' && met === 'True') ?? false;
const containers = ({ status }: KubePod): readonly KubeContainerStatus[] => status.containerStatuses ?? [];

/** What must not change when the kubelet or the runtime's daemon comes back. */
const identity = (pod: KubePod): object => ({
  ip: pod.status.podIP,
  containers: containers(pod).map(({ name, containerID, restartCount, state }) => ({ name, containerID, restartCount, startedAt: state.running?.startedAt })),
});

describe.skipIf(unbuildable !== undefined)(`a real kubelet on ${runtime}`, () => {
  const cleanup = new AsyncDisposableStack();
  let node: NodeDaemon;
  let kubelet: Kubelet;
  let busybox: string;
  let hostPort: number;
  let full: string;
  const outages: Outage[] = [];

  beforeAll(async () => {
    await buildPeers(runtime === 'containerd' ? ['kubelet', 'containerd', 'containerd-shim-runc-v2'] : ['kubelet']);
    const images = new TestImages();
    const directory = mkdtempSync(join(tmpdir(), 'berth-reg-'));
    cleanup.defer(() => {
      rmSync(directory, { recursive: true, force: true });
    });
    const registry = cleanup.use(await Registry.start({ directory }));
    busybox = await registry.push('busybox', '1', images.busybox());
    const pauseImage = await registry.push('pause', '1', images.pause());
    node = cleanup.use(runtime === 'containerd' ? await startContainerd({ pauseImage }) : await startBerth({ insecureRegistries: [registry.host] }));
    kubelet = cleanup.use(await Kubelet.start(node));
    node.markClean();
    hostPort = await freePort();
  }, 1_200_000);
  afterAll(async () => cleanup.disposeAsync());

  test('a pod with init container, probes, limit, hostPort, emptyDir and hook becomes Ready', async () => {
    full = kubelet.apply('full', fullPod({ busybox }, hostPort));
    const pod = await kubelet.until(full, isReady);
    expect(pod.status.initContainerStatuses?.[0]?.state.terminated).toMatchObject({ exitCode: 0, reason: 'Completed' });
    expect(containers(pod).map(({ name, ready, restartCount }) => ({ name, ready, restartCount }))).toEqual([
      { name: 'side', ready: true, restartCount: 0 },
      { name: 'web', ready: true, restartCount: 0 },
    ]);
    expect(pod.status.podIP).toMatch(new RegExp(`^${node.scratch.subnet}\\.`));
  });

  test('the pod answers on its address and on the host\'s port', async () => {
    const pod = await kubelet.until(full, isReady);
    expect(await (await fetch(`http://${pod.status.podIP}:8080/`)).text()).toBe('from init\n');
    expect(await (await fetch(`http://127.0.0.1:${hostPort}/hook`)).text()).toBe('hooked\n');
  });

  test('logs, run and exec through the kubelet', async () => {
    expect(await kubelet.api.logs(full, 'init')).toBe('init done\n');
    expect(await kubelet.api.logs(full, 'web')).toBe('web starts\n');
    expect(await kubelet.api.logs(full, 'side', '?tailLines=1')).toBe('side starts\n');
    expect(await kubelet.api.run(full, 'side', ['hostname'])).toBe('full\n');
  });

  test('exec through the kubelet\'s streaming', async ({ skip }) => {
    const pod = await kubelet.until(full, isReady);
    const id = containers(pod)[0]?.containerID?.replace(/^.*:\/\//, '');
    const probe = await node.cri.call('Exec', { container_id: id, cmd: ['true'], stdout: true }).catch((error: unknown) => error);
    if (probe instanceof Error && 'code' in probe && probe.code === grpcStatus.UNIMPLEMENTED) skip(`${runtime} does not stream: ${probe.message}`);
    expect(await kubelet.api.exec(full, 'web', ['sh', '-c', 'cat /data/index.html; cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null'])).toBe(`from init\n${64 << 20}\n`);
  });

  test('stats/summary has numbers for the node, the pod and its containers', async () => {
    // Some numbers come from the kubelet's own housekeeping, which takes its first look after some seconds.
    const pod = await vi.waitFor(async () => {
      const summary = await kubelet.api.summary();
      const found = summary.pods.find(({ podRef }) => podRef.name === full);
      for (const usage of [summary.node, found, ...(found?.containers ?? [])]) {
        expect(usage?.cpu?.usageCoreNanoSeconds).toBeGreaterThan(0);
        expect(usage?.memory?.workingSetBytes).toBeGreaterThan(0);
      }
      return found;
    }, { timeout: 30_000, interval: 500 });
    expect(pod?.containers.map(({ name }) => name).toSorted()).toEqual(['side', 'web']);
    for (const { rootfs } of pod?.containers ?? []) expect(rootfs?.usedBytes).toBeGreaterThanOrEqual(0);
  });

  test('a crashing container is restarted with back-off and keeps its last log', async () => {
    const name = kubelet.apply('crash', crashingPod({ busybox }));
    await kubelet.until(name, (seen) => containers(seen)[0]?.state.waiting?.reason === 'CrashLoopBackOff');
    const again = await kubelet.until(name, (seen) => (containers(seen)[0]?.restartCount ?? 0) >= 2 && containers(seen)[0]?.state.running !== undefined);
    expect(containers(again)[0]?.lastState.terminated).toMatchObject({ exitCode: 7, reason: 'Error' });
    expect(await kubelet.api.logs(name, 'crash', '?previous=true')).toBe('about to fail\n');
    kubelet.withdraw('crash');
  });

  test('a container that outgrows its limit is OOMKilled', async () => {
    const name = kubelet.apply('hungry', hungryPod({ busybox }));
    const pod = await kubelet.until(name, (seen) => containers(seen)[0]?.state.terminated !== undefined);
    expect(containers(pod)[0]?.state.terminated).toMatchObject({ exitCode: 137, reason: 'OOMKilled' });
    kubelet.withdraw('hungry');
  });

  test('a restarted kubelet, with events and stats from CRI, finds the pod as it was', async () => {
    const before = identity(await kubelet.until(full, isReady));
    await kubelet.restart({ EventedPLEG: true, PodAndContainerStatsFromCRI: true });
    expect(identity(await kubelet.until(full, isReady))).toEqual(before);
    // Long enough for a kubelet that misunderstands what it finds to act on it.
    await sleep(3000);
    expect(identity(await kubelet.until(full, isReady))).toEqual(before);
  });

  test('the kubelet follows the runtime\'s events, and serves the runtime\'s metrics', async ({ skip }) => {
    if (runtime !== 'berth') skip('what a peer does here is not judged');
    const kept = await kubelet.api.text('/metrics');
    expect(kept).toMatch(/^kubelet_evented_pleg_connection_success_count [1-9]/m);
    expect(kept).not.toMatch(/^kubelet_evented_pleg_connection_error_count [1-9]/m);
    await vi.waitFor(async () => {
      expect(await kubelet.api.text('/metrics/cadvisor')).toMatch(/^container_memory_working_set_bytes\{container="web",[^}]*pod="full-n1"\} [1-9]/m);
    }, { timeout: 30_000, interval: 500 });
  });

  test('stats/summary from CRI has numbers too', async () => {
    const pod = (await kubelet.api.summary()).pods.find(({ podRef }) => podRef.name === full);
    for (const usage of [pod, ...(pod?.containers ?? [])]) expect(usage?.memory?.workingSetBytes).toBeGreaterThan(0);
  });

  test('the runtime\'s daemon, killed and started again, changes nothing', async () => {
    const before = identity(await kubelet.until(full, isReady));
    const from = Date.now();
    await node.kill();
    await sleep(1500);
    await node.startAgain();
    outages.push({ from, to: Date.now() });
    await sleep(5000);
    expect(identity(await kubelet.until(full, isReady))).toEqual(before);
    expect(await kubelet.api.run(full, 'side', ['hostname'])).toBe('full\n');
  });

  test('a pod whose manifest is gone leaves nothing', async () => {
    kubelet.withdraw('full');
    // Records of dead containers stay until the kubelet's collector passes, once a minute; all else goes at once.
    await vi.waitFor(async () => {
      expect((await node.cri.listPods({ state: { state: 'SANDBOX_READY' } })).length).toBe(0);
    }, { timeout: 30_000, interval: 200 });
    const { mounts, ...rest } = await node.leaks(5000);
    expect(rest).toEqual({ cgroups: [], processes: [], addresses: [], links: [], iptables: [] });
    expect(mounts.filter((path) => path.includes('netns'))).toEqual([]);
    await vi.waitFor(async () => {
      expect([...(await node.cri.listPods()), ...(await node.cri.listContainers())]).toEqual([]);
    }, { timeout: 100_000, interval: 500 });
    expect(await kubelet.api.pod(full)).toBeUndefined();
    expect(await node.leaks(10_000)).toEqual(noHoldings);
  }, 150_000);

  test('the kubelet logged no error that the runtime caused', () => {
    expect(runtimeErrors(kubelet.log(), outages)).toEqual([]);
  });
});
