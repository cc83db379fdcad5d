import { execFileSync } from 'node:child_process';
import { existsSync, readlinkSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { grpcStatus } from '../fixtures/cri.ts';
import type { Message } from '../fixtures/cri.ts';
import { noHoldings } from '../fixtures/leaks.ts';
import { podConfig } from '../fixtures/pods.ts';
import { CriSuite, waiting } from './suite.ts';

let suite: CriSuite;
beforeAll(async () => {
  suite = await CriSuite.start();
});
afterEach(async () => {
  await suite.node.removePods();
});
afterAll(async () => suite.close());

const unknownIds = ['0123456789abcdef', '5a8b3c5e-0c1e-4a52-9d3b-6f6d2c9f1a77'];

test('a pod is ready when RunPodSandbox returns, and its status and listing give back what was asked', async () => {
  const over = { labels: { app: 'a', 'k8s.io/x': '' }, annotations: { note: 'ä "quoted"' } };
  const { id, config } = await suite.pod(over);
  const status = await suite.cri.podStatus(id);
  expect(status).toMatchObject({ id, state: 'SANDBOX_READY', metadata: config.metadata, labels: over.labels, annotations: over.annotations });
  expect(BigInt(status.created_at)).toBeGreaterThan(BigInt(Date.now() - 60_000) * 1_000_000n);
  expect(status.network?.ip.startsWith(suite.node.scratch.subnet)).toBe(true);
  expect(await suite.cri.listPods()).toEqual([
    { id, metadata: config.metadata, state: 'SANDBOX_READY', created_at: status.created_at, labels: over.labels, annotations: over.annotations, runtime_handler: '' },
  ]);
});

test('the timestamp of a status stays zero while no container statuses come with it', async () => {
  const { id } = await suite.pod();
  const reply = await suite.cri.call('PodSandboxStatus', { pod_sandbox_id: id });
  expect(reply).toMatchObject({ timestamp: '0', containers_statuses: [], info: {} });
});

test('a verbose status has JSON under info', async () => {
  const { id } = await suite.pod();
  const { info } = await suite.cri.call<{ info: Record<string, string> }>('PodSandboxStatus', { pod_sandbox_id: id, verbose: true });
  expect(JSON.parse(info['info'] ?? '')).toMatchObject({ pid: 0, cniResult: { ips: [expect.anything()] }, config: { metadata: { name: 'pod' }, linux: { cgroup_parent: suite.node.scratch.cgroup } } });
});

interface VerbosePod {
  readonly runtimeSpec: { readonly hostname: string; readonly linux: { readonly namespaces: readonly { readonly type: string; readonly path: string }[]; readonly cgroupsPath: string; readonly sysctl: object } };
}

async function runtimeSpec(id: string): Promise<VerbosePod['runtimeSpec']> {
  const { info } = await suite.cri.call<{ info: Record<string, string> }>('PodSandboxStatus', { pod_sandbox_id: id, verbose: true });
  return (JSON.parse(info['info'] ?? '') as VerbosePod).runtimeSpec;
}

test('a verbose status names the namespaces, for tools that enter them', async () => {
  const { id } = await suite.pod({ hostname: 'entered' });
  const { hostname, linux } = await runtimeSpec(id);
  const inside = (type: string, command: readonly string[]): string => {
    const path = linux.namespaces.find((namespace) => namespace.type === type)?.path ?? 'missing';
    const [program, ...args] = suite.node.namespace.enter(['nsenter', `--${type === 'network' ? 'net' : type}=${path}`, '--', ...command]);
    return execFileSync(program, args, { encoding: 'utf8' });
  };
  expect(hostname).toBe('entered');
  expect(inside('uts', ['uname', '-n'])).toBe('entered\n');
  expect(inside('network', ['ip', '-4', 'addr', 'show', 'eth0'])).toContain((await suite.cri.podStatus(id)).network?.ip);
  expect(linux).toMatchObject({ cgroupsPath: suite.node.scratch.cgroup, sysctl: { 'net.ipv4.ip_unprivileged_port_start': '0' } });
  await suite.cri.stopPod(id);
  expect((await runtimeSpec(id)).linux.namespaces).toEqual([]);
});

test('namespaces that a pod shares with the node are not named as its own', async () => {
  const { id } = await suite.pod({ linux: { cgroup_parent: suite.node.scratch.cgroup, security_context: { namespace_options: { network: 'NODE', pid: 'POD', ipc: 'POD' } } } });
  expect((await runtimeSpec(id)).linux.namespaces.map(({ type }) => type)).toEqual(['ipc', 'pid']);
});

test('the requested handler is used and shown; an unknown one is refused', async () => {
  const { id } = await suite.pod({}, 'runc');
  expect((await suite.cri.podStatus(id)).runtime_handler).toBe('runc');
  await expect(suite.pod({}, 'nonesuch')).rejects.toMatchObject({ details: expect.stringContaining('nonesuch') });
  expect(await suite.cri.listPods()).toHaveLength(1);
});

test('a retry of the same request joins the pod that is being made', async () => {
  const config = podConfig(suite.node.scratch, 'twin');
  const [first, second] = await Promise.all([suite.cri.runPod(config), suite.cri.runPod(config)]);
  expect(second).toBe(first);
  expect(await suite.cri.listPods()).toHaveLength(1);
});

test('a second attempt of the same pod may run beside the first', async () => {
  const config = podConfig(suite.node.scratch, 'again');
  await suite.cri.runPod(config);
  await suite.cri.runPod({ ...config, metadata: { ...config.metadata, attempt: 1 } });
  expect(await suite.cri.listPods()).toHaveLength(2);
});

test.each<[string, object | null]>([
  ['no config', null],
  ['no metadata', {}],
  ['no namespace', { metadata: { name: 'p', uid: 'u' } }],
])('RunPodSandbox with %s is invalid', async (_what, config) => {
  await expect(suite.cri.call('RunPodSandbox', { config })).rejects.toMatchObject({ code: grpcStatus.INVALID_ARGUMENT });
});

test('stopping kills containers, gives the address back and keeps the pod visible', async () => {
  const pod = await suite.pod();
  const container = await suite.run(pod, ['sleep', '1000']);
  await suite.cri.stopPod(pod.id);
  expect((await suite.cri.podStatus(pod.id)).state).toBe('SANDBOX_NOTREADY');
  expect((await suite.cri.containerStatus(container)).state).toBe('CONTAINER_EXITED');
  expect((await suite.node.leaks()).addresses).toEqual([]);
  await suite.cri.stopPod(pod.id);
});

test('removing a running pod removes its containers and leaves nothing', async () => {
  const pod = await suite.pod();
  const container = await suite.run(pod, [...waiting]);
  await suite.cri.removePod(pod.id);
  expect(await suite.cri.listPods()).toEqual([]);
  await expect(suite.cri.containerStatus(container)).rejects.toMatchObject({ code: grpcStatus.NOT_FOUND });
  expect(await suite.node.leaks()).toEqual(noHoldings);
});

test.each(unknownIds)('stopping and removing the unknown pod %s succeeds, its status is not found', async (id) => {
  await suite.cri.stopPod(id);
  await suite.cri.removePod(id);
  await expect(suite.cri.podStatus(id)).rejects.toMatchObject({ code: grpcStatus.NOT_FOUND });
});

test('removing twice succeeds', async () => {
  const { id } = await suite.pod();
  await suite.cri.stopPod(id);
  await suite.cri.removePod(id);
  await suite.cri.removePod(id);
});

test('an empty id is refused', async () => {
  await expect(suite.cri.stopPod('')).rejects.toMatchObject({ code: grpcStatus.INVALID_ARGUMENT });
});

test('filters must all match; id may be a prefix; no filter and no state mean any', async () => {
  const a = await suite.pod({ labels: { tier: 'x', name: 'a' } });
  const b = await suite.pod({ labels: { tier: 'x', name: 'b' } });
  await suite.cri.stopPod(b.id);
  const ids = async (filter: object | null) => (await suite.cri.listPods(filter)).map(({ id }) => id).toSorted();
  expect(await ids(null)).toEqual([a.id, b.id].toSorted());
  expect(await ids({})).toEqual([a.id, b.id].toSorted());
  expect(await ids({ label_selector: { tier: 'x' } })).toEqual([a.id, b.id].toSorted());
  expect(await ids({ label_selector: { tier: 'x', name: 'b' } })).toEqual([b.id]);
  expect(await ids({ state: { state: 'SANDBOX_READY' } })).toEqual([a.id]);
  expect(await ids({ state: { state: 'SANDBOX_NOTREADY' } })).toEqual([b.id]);
  expect(await ids({ id: a.id.slice(0, 12) })).toEqual([a.id]);
  expect(await ids({ id: a.id, state: { state: 'SANDBOX_NOTREADY' } })).toEqual([]);
  expect(await ids({ id: 'ffffffffffff' })).toEqual([]);
});

test('a status is found by a unique prefix of the id', async () => {
  const { id } = await suite.pod();
  expect((await suite.cri.podStatus(id.slice(0, 13))).id).toBe(id);
});

test('StreamPodSandboxes sends each pod once and then ends; none is no message', async () => {
  const collect = async () => {
    const messages: Message[] = [];
    for await (const message of suite.cri.stream('StreamPodSandboxes')) messages.push(message);
    return messages.flatMap((message) => message['pod_sandboxes'] as readonly { id: string }[]).map(({ id }) => id);
  };
  expect(await collect()).toEqual([]);
  const pods = [await suite.pod(), await suite.pod()];
  expect((await collect()).toSorted()).toEqual(pods.map(({ id }) => id).toSorted());
});

test('a list that is longer than a message comes in several, each within what a client takes', async () => {
  const big = { annotations: { big: 'x'.repeat(6 << 20) }, linux: { cgroup_parent: suite.node.scratch.cgroup, security_context: { namespace_options: { network: 'NODE', pid: 'CONTAINER' } } } };
  const pods = [await suite.pod(big), await suite.pod(big), await suite.pod(big)];
  const messages: (readonly { id: string }[])[] = [];
  for await (const message of suite.cri.stream('StreamPodSandboxes')) messages.push(message['pod_sandboxes'] as readonly { id: string }[]);
  // One by one, since no plain list could name them.
  for (const { id } of pods) await suite.cri.removePod(id);
  expect(messages.length).toBeGreaterThan(1);
  expect(messages.flat().map(({ id }) => id).toSorted()).toEqual(pods.map(({ id }) => id).toSorted());
});

test('hostname, resolv.conf and hosts are as asked', async () => {
  const pod = await suite.pod({ hostname: 'my-host', dns_config: { servers: ['192.0.2.1', '192.0.2.2'], searches: ['a.example', 'b.example'], options: ['ndots:5'] } });
  const container = await suite.run(pod, [...waiting]);
  const read = async (...cmd: string[]) => (await suite.cri.execSync(container, cmd)).stdout.toString();
  expect(await read('hostname')).toBe('my-host\n');
  expect(await read('sh', '-c', 'echo $HOSTNAME')).toBe('my-host\n');
  const resolv = await read('cat', '/etc/resolv.conf');
  for (const line of ['search a.example b.example', 'nameserver 192.0.2.1', 'nameserver 192.0.2.2', 'options ndots:5']) expect(resolv.split('\n')).toContain(line);
  expect(await read('cat', '/etc/hosts')).toContain('localhost');
});

test('dns_config that is there but empty is an empty resolv.conf', async () => {
  const pod = await suite.pod({ dns_config: {} });
  const container = await suite.run(pod, [...waiting]);
  expect((await suite.cri.execSync(container, ['cat', '/etc/resolv.conf'])).stdout.toString().trim()).toBe('');
});

test('the pod answers on its address and on a mapped host port, also of 127.0.0.1', async () => {
  const pod = await suite.pod({ port_mappings: [{ protocol: 'TCP', container_port: 80, host_port: 12_777 }, { protocol: 'TCP', container_port: 81, host_port: 0 }] });
  await suite.run(pod, ['httpd', '-f', '-p', '80', '-h', '/www']);
  const { network } = await suite.cri.podStatus(pod.id);
  for (const host of [`${network?.ip}:80`, '127.0.0.1:12777', `${suite.node.scratch.subnet}.1:12777`]) {
    expect(await (await fetch(`http://${host}/`)).text(), host).toBe('berth fixture\n');
  }
});

test('safe sysctls are set inside the pod, and unprivileged ports and ping are open by default', async () => {
  const pod = await suite.pod({ linux: { cgroup_parent: suite.node.scratch.cgroup, sysctls: { 'kernel.shm_rmid_forced': '1', 'fs.mqueue.msg_max': '100', 'net.ipv4.conf.eth0.rp_filter': '0', 'net/ipv6/conf/eth0/accept_ra': '0', 'net.ipv4.conf.all.log_martians': '1' } } });
  const container = await suite.run(pod, [...waiting]);
  const read = async (path: string) => (await suite.cri.execSync(container, ['cat', `/proc/sys/${path}`])).stdout.toString().trim();
  expect(await read('kernel/shm_rmid_forced')).toBe('1');
  expect(await read('fs/mqueue/msg_max')).toBe('100');
  expect(await read('net/ipv4/conf/eth0/rp_filter')).toBe('0');
  expect(await read('net/ipv6/conf/eth0/accept_ra')).toBe('0');
  expect(await read('net/ipv4/conf/all/log_martians')).toBe('1');
  expect(await read('net/ipv4/ip_unprivileged_port_start')).toBe('0');
  expect(await read('net/ipv4/ping_group_range')).toBe('0\t2147483647');
});

test('a pod on the host network has no address and is in the network of the node', async () => {
  const pod = await suite.pod({ hostname: '', linux: { cgroup_parent: suite.node.scratch.cgroup, security_context: { namespace_options: { network: 'NODE', pid: 'CONTAINER' } } } });
  const status = await suite.cri.podStatus(pod.id);
  expect(status.network?.ip).toBe('');
  expect(status.linux?.namespaces?.options).toMatchObject({ network: 'NODE', pid: 'CONTAINER', ipc: 'POD' });
  const container = await suite.run(pod, [...waiting], { linux: { security_context: { namespace_options: { network: 'NODE', pid: 'CONTAINER' } } } });
  expect((await suite.cri.execSync(container, ['readlink', '/proc/self/ns/net'])).stdout.toString()).toBe(`${readlinkSync(`/proc/${suite.node.pid}/ns/net`)}\n`);
  expect((await suite.node.leaks(0)).addresses).toEqual([]);
});

test('a pod may live in the node\'s namespaces alone, as one that debugs the node does', async () => {
  const linux = { security_context: { namespace_options: { network: 'NODE', pid: 'NODE', ipc: 'NODE' } } };
  const pod = await suite.pod({ hostname: '', linux: { cgroup_parent: suite.node.scratch.cgroup, ...linux } });
  const container = await suite.run(pod, [...waiting], { linux });
  const names = ['net', 'ipc', 'uts', 'pid'].map((kind) => `/proc/self/ns/${kind}`);
  const inside = (await suite.cri.execSync(container, ['sh', '-c', `for name in ${names.join(' ')}; do readlink $name; done`])).stdout.toString().trim().split('\n');
  expect(inside).toEqual(names.map((name) => readlinkSync(name)));
  await suite.node.removePods();
  expect(await suite.node.leaks()).toEqual(noHoldings);
});

test('a pod that shares processes has a pid 1 of its own', async () => {
  const options = { network: 'POD', pid: 'POD', ipc: 'POD' };
  const pod = await suite.pod({ linux: { cgroup_parent: suite.node.scratch.cgroup, security_context: { namespace_options: options } } });
  const container = { linux: { security_context: { namespace_options: options } } };
  const a = await suite.run(pod, ['sleep', '1001'], { ...container, metadata: { name: 'a' } });
  const b = await suite.run(pod, ['sleep', '1002'], { ...container, metadata: { name: 'b' } });
  const shown = (await suite.cri.execSync(a, ['ps', '-o', 'pid,args'])).stdout.toString();
  expect(shown).toMatch(/sleep 1001/);
  expect(shown).toMatch(/sleep 1002/);
  expect(shown).not.toMatch(/^\s*1 sleep/m);
  expect((await suite.cri.execSync(a, ['cat', '/proc/1/comm'])).stdout.toString()).toBe('berth-pause\n');
  expect((await suite.cri.execSync(b, ['sh', '-c', 'echo $$'])).stdout.toString().trim()).not.toBe('1');
});

test('UpdatePodSandboxResources is taken, and not found for an unknown pod', async () => {
  const { id } = await suite.pod();
  const resources = { cpu_shares: '512' };
  expect(await suite.cri.call('UpdatePodSandboxResources', { pod_sandbox_id: id, resources })).toEqual({});
  await expect(suite.cri.call('UpdatePodSandboxResources', { pod_sandbox_id: unknownIds[0], resources })).rejects.toMatchObject({ code: grpcStatus.NOT_FOUND });
});

test('a pod whose network cannot be made fails, leaves nothing and can be tried again', async () => {
  const taken = await suite.pod({ port_mappings: [{ protocol: 'TCP', container_port: 80, host_port: 12_778 }] });
  const bad = podConfig(suite.node.scratch, 'bad', { linux: { cgroup_parent: suite.node.scratch.cgroup, sysctls: { 'net.nonesuch': '1' } } });
  await expect(suite.cri.runPod(bad)).rejects.toMatchObject({ details: expect.stringMatching(/net.nonesuch/) });
  expect((await suite.cri.listPods()).map(({ id }) => id)).toEqual([taken.id]);
  await suite.cri.runPod({ ...bad, linux: { cgroup_parent: suite.node.scratch.cgroup } });
  await suite.node.removePods();
  expect(await suite.node.leaks()).toEqual(noHoldings);
});

test('a client that leaves in the middle of RunPodSandbox leaks nothing', async () => {
  await Promise.all(
    Array.from({ length: 6 }, async (_, index) => {
      const config = podConfig(suite.node.scratch, `gone-${index}`);
      await expect(suite.cri.call('RunPodSandbox', { config }, 1 + index * 8)).rejects.toMatchObject({ code: grpcStatus.DEADLINE_EXCEEDED });
    }),
  );
  await suite.node.removePods();
  expect(await suite.node.leaks()).toEqual(noHoldings);
  expect(await suite.cri.listPods()).toEqual([]);
});

test('logs of pods go below the directory that the pod names', async () => {
  const pod = await suite.pod();
  const status = await suite.finish(pod, ['echo', 'hi'], { metadata: { name: 'main' } });
  expect(status.log_path).toBe(`${pod.config.log_directory}/main.log`);
  expect(existsSync(status.log_path)).toBe(true);
});
