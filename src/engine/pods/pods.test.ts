import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { RunningEngine } from '../engine.ts';
import type { NamespaceOptions } from '../model/security.ts';
import { containerConfig, kubeNamespaces, podConfig, security } from '../testing/configs.ts';
import { World } from '../testing/world.ts';

const signal = (): AbortSignal => AbortSignal.timeout(15_000);
const inNamespaces = (change: Partial<NamespaceOptions>) => ({ security: security({ namespaces: { ...kubeNamespaces, ...change } }) });

let world: World;
let engine: RunningEngine;

beforeEach(() => {
  world = new World();
  engine = world.engine();
});

afterEach(async () => {
  await world.close();
});

test('a pod is ready with its address, namespaces, files and shared memory', async () => {
  const dns = { servers: ['10.96.0.10'], searches: ['a.local', 'b.local'], options: ['ndots:5'] };
  const pod = await engine.pods.run(podConfig('web', { dns }), signal());
  const directory = join(world.config.runRoot, 'pods', pod.id);
  expect(pod).toMatchObject({ state: 'ready', networkHeld: true, pausePid: 0, network: { ips: ['10.0.0.2'] } });
  expect(readFileSync(join(directory, 'etc/resolv.conf'), 'utf8')).toBe('search a.local b.local\nnameserver 10.96.0.10\noptions ndots:5\n');
  expect(readFileSync(join(directory, 'etc/hostname'), 'utf8')).toBe('web\n');
  expect(world.agent.mounts.get(join(directory, 'etc'))?.options).toEqual(['nosuid', 'noexec', 'nodev', 'mode=755', expect.stringMatching(/^size=\d{5}/), 'nr_inodes=8']);
  expect(world.agent.mounts.get(join(directory, 'shm'))?.options).toEqual(['nosuid', 'noexec', 'nodev', 'mode=1777', `size=${64 << 20}`]);
  expect(world.agent.namespaces.get(join(directory, 'ns'))).toMatchObject({ net: true, ipc: true, uts: true, pid: false, hostname: 'web' });
  expect(engine.pods.list()).toEqual([pod]);
  expect(pod.waterfall.map(({ name }) => name).toSorted()).toEqual(['cni', 'files', 'namespaces', 'shm']);
  expect(world.phases).toContainEqual({ operation: 'run-pod', phase: 'cni' });
});

test('sysctls: the defaults, and the request on top of them', async () => {
  const pod = await engine.pods.run(podConfig('web', { sysctls: { 'kernel.shm_rmid_forced': '1', 'net.ipv4.ip_unprivileged_port_start': '80' } }), signal());
  expect(world.agent.namespaces.get(join(world.config.runRoot, 'pods', pod.id, 'ns'))?.sysctls).toEqual({
    'net.ipv4.ip_unprivileged_port_start': '80',
    'net.ipv4.ping_group_range': '0 2147483647',
    'kernel.shm_rmid_forced': '1',
  });
});

test.each([
  ['of the node', { sysctls: { 'vm.swappiness': '1' } }],
  ['of a network that is the host’s', { sysctls: { 'net.core.somaxconn': '1' }, ...inNamespaces({ network: 'node' }) }],
  ['of an IPC namespace that is the host’s', { sysctls: { 'fs.mqueue.msg_max': '1' }, ...inNamespaces({ ipc: 'node' }) }],
])('a sysctl %s is refused', async (_, change) => {
  await expect(engine.pods.run(podConfig('web', change), signal())).rejects.toMatchObject({ kind: 'invalid' });
  expect(world.leftovers()).toEqual([]);
});

test('a pod in the namespaces of the node alone', async () => {
  const pod = await engine.pods.run(podConfig('debugger', inNamespaces({ network: 'node', ipc: 'node', pid: 'node' })), signal());
  expect(pod).toMatchObject({ state: 'ready', pausePid: 0, networkHeld: false });
  expect(world.agent.namespaces.size).toBe(0);
  await engine.pods.stop(pod.id, signal());
  await engine.pods.remove(pod.id, signal());
  expect(world.leftovers()).toEqual([]);
});

test('sysctls of interfaces are written once the network has made them, and the others before', async () => {
  const early = { 'net.ipv4.conf.all.rp_filter': '1', 'net.ipv6.conf.default.accept_ra': '0', 'net/ipv4/conf/lo/rp_filter': '1', 'net.ipv4.tcp_syncookies': '1' };
  const late = { 'net.ipv4.conf.eth0.rp_filter': '0', 'net/ipv6/conf/eth0.1/accept_ra': '0', 'net.ipv4.neigh.eth0/1.locktime': '0' };
  const pod = await engine.pods.run(podConfig('web', { sysctls: { ...early, ...late } }), signal());
  expect(world.agent.namespaces.get(join(world.config.runRoot, 'pods', pod.id, 'ns'))?.sysctls).toMatchObject(early);
  expect(Object.keys(world.agent.namespaces.get(join(world.config.runRoot, 'pods', pod.id, 'ns'))?.sysctls ?? {})).not.toEqual(expect.arrayContaining(Object.keys(late)));
  expect(world.agent.sysctlsWritten).toEqual([{ netnsPath: join(world.config.runRoot, 'pods', pod.id, 'ns/net'), sysctls: late }]);
});

test('a pod in the network of the node has the node’s hostname and no other', async () => {
  await expect(engine.pods.run(podConfig('web', { ...inNamespaces({ network: 'node' }), hostname: 'mine' }), signal())).rejects.toMatchObject({ kind: 'invalid', message: expect.stringContaining('"mine"') });
  await expect(engine.pods.run(podConfig('web', inNamespaces({ network: 'node' })), signal())).resolves.toMatchObject({ state: 'ready' });
});

test('on the host network there is no namespace, no CNI and no sysctl of ours', async () => {
  const pod = await engine.pods.run(podConfig('web', inNamespaces({ network: 'node' })), signal());
  expect(pod).toMatchObject({ networkHeld: false });
  expect(pod.network).toBeUndefined();
  expect([...world.agent.namespaces.values()]).toMatchObject([{ net: false, uts: false, ipc: true, sysctls: {} }]);
  expect(world.network.leases.size).toBe(0);
});

test('a host IPC namespace gets no shared memory of its own', async () => {
  await engine.pods.run(podConfig('web', inNamespaces({ ipc: 'node' })), signal());
  expect([...world.agent.mounts.keys()].map((path) => basename(path))).toEqual(['etc']);
});

test('a shared PID namespace gets a pause process, accounted in the pod’s cgroup', async () => {
  const pod = await engine.pods.run(podConfig('web', inNamespaces({ pid: 'pod' })), signal());
  expect(pod.pausePid).toBe(process.pid);
  expect([...world.agent.namespaces.values()]).toMatchObject([{ pid: true, pauseCgroups: [join(world.config.cgroupRoot, `memory/berth/berth-pause-${pod.id}`)] }]);
  await engine.pods.stop(pod.id, signal());
  expect(engine.pods.get(pod.id).pausePid).toBe(0);
  await engine.pods.remove(pod.id, signal());
  expect(world.leftovers()).toEqual([]);
});

test('a cgroup parent in the spelling of the other driver is refused, and nothing is made', async () => {
  const parent = '/kubepods.slice/kubepods-burstable.slice';
  await expect(engine.pods.run(podConfig('web', { cgroupParent: parent }), signal())).rejects.toMatchObject({ kind: 'invalid', message: expect.stringContaining(parent) });
  expect(engine.pods.list()).toEqual([]);
  expect(world.leftovers()).toEqual([]);
});

test('without a hostname the pod has the node’s', async () => {
  await engine.pods.run(podConfig('web', { hostname: '' }), signal());
  expect([...world.agent.namespaces.values()]).toMatchObject([{ hostname: hostname() }]);
});

test.each([
  ['two mappings', { mode: 'pod', uidMappings: [1, 2], gidMappings: [1, 2] }],
  ['no mapping', { mode: 'pod', uidMappings: [], gidMappings: [] }],
  ['root unmapped', { mode: 'pod', uidMappings: [5], gidMappings: [5] }],
  ['mode container', { mode: 'container', uidMappings: [0], gidMappings: [0] }],
  ['mode target', { mode: 'target', uidMappings: [0], gidMappings: [0] }],
  ['mappings of the node', { mode: 'node', uidMappings: [0], gidMappings: [0] }],
  ['different mappings', { mode: 'pod', uidMappings: [0], gidMappings: [1] }],
] as const)('a user namespace with %s is refused', async (_, { mode, uidMappings, gidMappings }) => {
  const mapping = (containerId: number) => ({ containerId, hostId: 100_000, length: 1000 });
  const user = { mode, uidMappings: uidMappings.map(mapping), gidMappings: gidMappings.map(mapping) };
  await expect(engine.pods.run(podConfig('web', inNamespaces({ user })), signal())).rejects.toMatchObject({ kind: 'invalid' });
});

test('a user namespace needs a runtime that can; it owns the others, and leaves ping_group_range alone', async () => {
  const mapping = [{ containerId: 0, hostId: 100_000, length: 1000 }];
  const user = { mode: 'pod', uidMappings: mapping, gidMappings: mapping } as const;
  await expect(engine.pods.run(podConfig('web', inNamespaces({ user })), signal())).rejects.toMatchObject({ kind: 'precondition', message: expect.stringContaining('crun') });
  world.agent.features = JSON.stringify({ linux: { namespaces: ['user'], mountExtensions: { idmap: { enabled: true } } } });
  await engine.recover();
  await engine.pods.run(podConfig('web', inNamespaces({ user })), signal());
  expect([...world.agent.namespaces.values()]).toMatchObject([{ uidMappings: mapping, gidMappings: mapping, sysctls: { 'net.ipv4.ip_unprivileged_port_start': '0' } }]);
  expect([...world.agent.namespaces.values()][0]?.sysctls).not.toHaveProperty('net.ipv4.ping_group_range');
});

test.each(['ipc', 'pid'] as const)("a user namespace does not go with the node's %s namespace", async (kind) => {
  world.agent.features = JSON.stringify({ linux: { namespaces: ['user'], mountExtensions: { idmap: { enabled: true } } } });
  await engine.recover();
  const mapping = [{ containerId: 0, hostId: 100_000, length: 1000 }];
  const asked = inNamespaces({ user: { mode: 'pod', uidMappings: mapping, gidMappings: mapping }, [kind]: 'node' });
  await expect(engine.pods.run(podConfig('web', asked), signal())).rejects.toMatchObject({ kind: 'invalid', message: expect.stringContaining('user namespace') });
});

test('an unknown runtime handler is refused', async () => {
  await expect(engine.pods.run(podConfig('web', { runtimeHandler: 'kata' }), signal())).rejects.toMatchObject({ kind: 'invalid', message: expect.stringContaining('kata') });
});

test('a retry of the same identity joins the running attempt, and a third one later learns the id', async () => {
  const gate = Promise.withResolvers<void>();
  world.network.attachGate = gate.promise;
  const first = engine.pods.run(podConfig('web'), signal());
  const second = engine.pods.run(podConfig('web'), signal());
  gate.resolve();
  const [a, b] = await Promise.all([first, second]);
  expect(b.id).toBe(a.id);
  await expect(engine.pods.run(podConfig('web'), signal())).rejects.toMatchObject({ kind: 'already-exists', message: expect.stringContaining(a.id) });
  await engine.pods.remove(a.id, signal());
  await expect(engine.pods.run(podConfig('web'), signal())).resolves.toMatchObject({ state: 'ready' });
});

test('a caller who leaves does not end what another waits for; the last one to leave does, and leaves nothing', async () => {
  const gate = Promise.withResolvers<void>();
  world.network.attachGate = gate.promise;
  const [leaving, staying] = [new AbortController(), new AbortController()];
  const first = engine.pods.run(podConfig('web'), leaving.signal);
  const second = engine.pods.run(podConfig('web'), staying.signal);
  leaving.abort(new Error('left'));
  await expect(first).rejects.toThrow('left');
  staying.abort(new Error('left too'));
  gate.resolve();
  await expect(second).rejects.toThrow('left too');
  expect(world.leftovers()).toEqual([]);
  await expect(engine.pods.run(podConfig('web'), signal())).resolves.toMatchObject({ state: 'ready' });
});

test('a pod being made is on disk but neither listed nor found', async () => {
  const gate = Promise.withResolvers<void>();
  world.network.attachGate = gate.promise;
  const run = engine.pods.run(podConfig('web'), signal());
  await vi.waitFor(() => {
    expect(world.network.leases.size).toBe(1);
  });
  const id = [...world.network.leases.keys()][0] ?? '';
  expect(engine.pods.list()).toEqual([]);
  expect(() => engine.pods.get(id)).toThrow('no pod');
  expect(world.state.keys()).toEqual([`pod/${id}`]);
  gate.resolve();
  await run;
});

test('stop gives back network, namespaces and mounts, keeps the record, and may be repeated', async () => {
  const pod = await engine.pods.run(podConfig('web'), signal());
  await engine.pods.stop(pod.id, signal());
  await engine.pods.stop(pod.id, signal());
  expect(engine.pods.get(pod.id)).toMatchObject({ state: 'notready', networkHeld: false });
  expect(engine.pods.get(pod.id).network).toBeUndefined();
  expect(world.network.detached).toEqual([{ id: pod.id, netnsPath: join(world.config.runRoot, 'pods', pod.id, 'ns/net'), hadResult: true }]);
  const files = `mount ${join(world.config.runRoot, 'pods', pod.id, 'etc')}`;
  expect(world.leftovers()).toEqual([`record pod/${pod.id}`, files, `run ${pod.id}`]);
});

test('a failed DEL is thrown with the pod notready already, and the next stop tries it again', async () => {
  const pod = await engine.pods.run(podConfig('web'), signal());
  world.network.failingDetaches = 1;
  await expect(engine.pods.stop(pod.id, signal())).rejects.toThrow('the plugin failed');
  expect(engine.pods.get(pod.id)).toMatchObject({ state: 'notready', networkHeld: true });
  await engine.pods.stop(pod.id, signal());
  expect(world.network.leases.size).toBe(0);
});

test('remove ends and removes the containers, and leaves nothing', async () => {
  const pod = await engine.pods.run(podConfig('web'), signal());
  const container = await engine.containers.create(pod.id, containerConfig('app'), signal());
  await engine.containers.start(container.id, signal());
  await engine.pods.remove(pod.id, signal());
  expect(world.leftovers()).toEqual([]);
  expect(engine.pods.list()).toEqual([]);
});

test('unknown ids: stop and remove are content, get is not', async () => {
  await engine.pods.stop('0b5b2ac7-8a7e-4b8a-9d5c-1c2f3a4b5c6d', signal());
  await engine.pods.remove('0b5b2ac7-8a7e-4b8a-9d5c-1c2f3a4b5c6d', signal());
  expect(() => engine.pods.get('feed')).toThrow('no pod has the id "feed"');
});

test('a failed undo leaves the pod visible as notready, and the background releases it later', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    world.network.failingDetaches = 1;
    const abort = new AbortController();
    world.network.attachGate = Promise.resolve().then(() => {
      abort.abort(new Error('the client left'));
    });
    await expect(engine.pods.run(podConfig('web'), abort.signal)).rejects.toThrow('the client left');
    const [pod] = engine.pods.list();
    expect(pod).toMatchObject({ state: 'notready', networkHeld: true });
    await expect(engine.pods.run(podConfig('web'), signal())).rejects.toMatchObject({ kind: 'already-exists' });
  } finally {
    vi.useRealTimers();
  }
  const [pod] = engine.pods.list();
  await engine.pods.stop(pod?.id ?? '', signal());
  await engine.pods.remove(pod?.id ?? '', signal());
  expect(world.leftovers()).toEqual([]);
  await sleep(1200);
  expect(world.warnings.filter((text) => text.includes('once more'))).toEqual([]);
});

test('a stop that comes while the pod is being removed is content', async () => {
  const pod = await engine.pods.run(podConfig('web'), signal());
  const removeTree = world.agent.removeTree.bind(world.agent);
  let stop: Promise<void> | undefined;
  vi.spyOn(world.agent, 'removeTree').mockImplementationOnce(async (path) => {
    stop = engine.pods.stop(pod.id, signal());
    await removeTree(path);
  });
  await engine.pods.remove(pod.id, signal());
  await stop;
  expect(stop).toBeDefined();
});

test('a failed undo is tried again without anybody asking', async () => {
  world.network.failingDetaches = 1;
  world.network.attachGate = Promise.reject(new Error('no address'));
  await expect(engine.pods.run(podConfig('web'), signal())).rejects.toThrow('no address');
  expect(engine.pods.list()).toHaveLength(1);
  await vi.waitFor(() => {
    expect(world.leftovers()).toEqual([]);
  }, 3000);
  expect(engine.pods.list()).toEqual([]);
});

test('lists filter by state, labels and id prefix', async () => {
  const a = await engine.pods.run(podConfig('a'), signal());
  const b = await engine.pods.run(podConfig('b'), signal());
  await engine.pods.stop(b.id, signal());
  const ids = (filter: Parameters<typeof engine.pods.list>[0]) => engine.pods.list(filter).map(({ id }) => id);
  expect(ids({ state: 'ready' })).toEqual([a.id]);
  expect(ids({ state: 'notready' })).toEqual([b.id]);
  expect(ids({ labels: { app: 'b' } })).toEqual([b.id]);
  expect(ids({ id: a.id.slice(0, 12) })).toEqual([a.id]);
  expect(ids({ id: a.id, state: 'notready' })).toEqual([]);
  expect(engine.pods.get(a.id.slice(0, 12)).id).toBe(a.id);
});

test('new resources of a pod are recorded', async () => {
  const pod = await engine.pods.run(podConfig('web'), signal());
  const resources = { cpuShares: 512, memoryLimitBytes: 1 << 20 } as never;
  await engine.pods.updateResources(pod.id, { overhead: undefined, resources }, signal());
  await engine.pods.updateResources(pod.id, { overhead: { cpuShares: 2 } as never, resources: undefined }, signal());
  expect(engine.pods.get(pod.id).config).toMatchObject({ resources: { cpuShares: 512 }, overhead: { cpuShares: 2 } });
});
