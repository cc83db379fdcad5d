/** Fields that no rule of their own brought into another file: each is sent, and what it means is seen. */
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { grpcStatus } from '../fixtures/cri.ts';
import { CriSuite, type SuitePod, waiting } from './suite.ts';

let suite: CriSuite;
let pod: SuitePod;
let id: string;

beforeAll(async () => {
  suite = await CriSuite.start();
  pod = await suite.pod({ metadata: { name: 'fields', namespace: 'default', uid: 'fields', attempt: 3 } });
  id = await suite.run(pod, [...waiting]);
});

afterAll(async () => {
  await suite.close();
});

async function streamed(method: string, request: object): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const messages = [];
  for await (const message of suite.cri.stream(method, request)) messages.push(message);
  return messages;
}

test('the attempt of a container is in its status and in the list', async () => {
  const again = await suite.run(pod, [...waiting], { metadata: { name: 'again', attempt: 2 } });
  expect((await suite.cri.containerStatus(again)).metadata).toMatchObject({ name: 'again', attempt: 2 });
  expect((await suite.cri.listContainers({ id: again }))[0]?.metadata).toMatchObject({ attempt: 2 });
});

test.each([
  ['StreamPodSandboxes', () => ({ id: pod.id })],
  ['StreamContainers', () => ({ id })],
  ['StreamContainerStats', () => ({ id })],
  ['StreamPodSandboxStats', () => ({ id: pod.id })],
  ['StreamImages', () => ({ image: { image: suite.busybox } })],
])('%s heeds its filter', async (method, filter) => {
  expect(await streamed(method, { filter: filter() })).toHaveLength(1);
  const other = method === 'StreamImages' ? { image: { image: `${suite.registry.host}/other:1` } } : { id: 'feed' };
  expect(await streamed(method, { filter: other })).toEqual([]);
});

test('memory nodes of a container are the cgroup\'s', async () => {
  const bound = await suite.run(pod, [...waiting], { linux: { resources: { cpuset_cpus: '0', cpuset_mems: '0' } } });
  expect((await suite.cri.containerStatus(bound)).resources?.linux).toMatchObject({ cpuset_cpus: '0', cpuset_mems: '0' });
});

test('a pull may say for which pod it is', async () => {
  const { image_ref: ref } = await suite.cri.call<{ image_ref: string }>('PullImage', { image: { image: suite.busybox }, sandbox_config: pod.config });
  expect(ref).toMatch(/^sha256:/);
});

const verbose = async (method: string, request: object): Promise<Readonly<Record<string, unknown>>> => {
  const { info } = await suite.cri.call<{ info: Record<string, string> }>(method, { ...request, verbose: true });
  return JSON.parse(info['info'] ?? '{}') as Readonly<Record<string, unknown>>;
};

test('overhead and resources of a pod are kept, and an update changes what it names', async () => {
  const linux = { cgroup_parent: suite.node.scratch.cgroup, overhead: { cpu_shares: 7 }, resources: { memory_limit_in_bytes: String(64 << 20) } };
  const heavy = await suite.pod({ metadata: { name: 'heavy', namespace: 'default', uid: 'heavy', attempt: 0 }, linux });
  expect(await verbose('PodSandboxStatus', { pod_sandbox_id: heavy.id })).toMatchObject({ config: { linux: { overhead: { cpu_shares: 7 }, resources: { memory_limit_in_bytes: 64 << 20 } } } });
  await suite.cri.call('UpdatePodSandboxResources', { pod_sandbox_id: heavy.id, overhead: { cpu_shares: 9 } });
  expect(await verbose('PodSandboxStatus', { pod_sandbox_id: heavy.id })).toMatchObject({ config: { linux: { overhead: { cpu_shares: 9 }, resources: { memory_limit_in_bytes: 64 << 20 } } } });
});

test('a pod of the node’s namespaces says so', async () => {
  const options = { network: 'NODE', pid: 'NODE', ipc: 'NODE', userns_options: { mode: 'NODE' } };
  const open = await suite.pod({ metadata: { name: 'open', namespace: 'default', uid: 'open', attempt: 0 }, linux: { cgroup_parent: suite.node.scratch.cgroup, security_context: { namespace_options: options } } });
  expect((await suite.cri.podStatus(open.id)).linux?.namespaces?.options).toMatchObject(options);
  const inside = await suite.run(open, [...waiting], { linux: { security_context: { namespace_options: options } } });
  const here = ['net', 'ipc', 'uts', 'pid'].map((kind) => readlinkSync(`/proc/self/ns/${kind}`));
  const { stdout } = await suite.cri.execSync(inside, ['sh', '-c', 'for kind in net ipc uts pid; do readlink /proc/self/ns/$kind; done']);
  expect(stdout.toString().trim().split('\n')).toEqual(here);
});

test.each([
  ['that does not begin at the container’s 0', { container_id: 1, host_id: 200_000, length: 1000 }],
  ['that is empty', { container_id: 0, host_id: 200_000, length: 0 }],
])('a mapping of ids %s is refused', async (_which, map) => {
  const options = { userns_options: { mode: 'POD', uids: [map], gids: [map] } };
  await expect(suite.pod({ metadata: { name: 'map', namespace: 'default', uid: 'map', attempt: 0 }, linux: { security_context: { namespace_options: options } } })).rejects.toMatchObject({ code: grpcStatus.INVALID_ARGUMENT });
});

test('a mount’s propagation is in the status', async () => {
  const mounts = [{ container_path: '/slave', host_path: suite.node.scratch.dir, propagation: 'PROPAGATION_HOST_TO_CONTAINER' }];
  const mounted = await suite.run(pod, [...waiting], { mounts });
  expect((await suite.cri.containerStatus(mounted)).mounts).toMatchObject(mounts);
});

test('statistics have the container’s annotations and how much swap is left', async () => {
  const resources = { memory_limit_in_bytes: String(32 << 20), memory_swap_limit_in_bytes: String(48 << 20) };
  const swapping = await suite.run(pod, [...waiting], { annotations: { note: 'kept' }, linux: { resources } });
  expect(await suite.cri.containerStats(swapping)).toMatchObject({
    attributes: { annotations: { note: 'kept' } },
    swap: { swap_usage_bytes: { value: '0' }, swap_available_bytes: { value: String(16 << 20) } },
  });
});

test('statistics of a pod’s network have interfaces beside the first', async () => {
  const security = { privileged: true };
  const wide = await suite.pod({ metadata: { name: 'wide', namespace: 'default', uid: 'wide', attempt: 0 }, linux: { cgroup_parent: suite.node.scratch.cgroup, security_context: security } });
  const root = await suite.run(wide, [...waiting], { linux: { security_context: security } });
  await suite.cri.execSync(root, ['sh', '-c', 'ip link add second type veth; ip link set veth0 name third']);
  type Network = Readonly<{ default_interface: { name: string }; interfaces: readonly { name: string }[] }>;
  const { stats } = await suite.cri.call<{ stats: { linux: { network: Network } } }>('PodSandboxStats', { pod_sandbox_id: wide.id });
  const { default_interface: first, interfaces } = stats.linux.network;
  expect([first.name, ...interfaces.map(({ name }) => name).toSorted()]).toEqual(['eth0', 'second', 'third']);
});

/** Answers datagrams to port 53 in the network of a process. */
const echo = "const s = require('node:dgram').createSocket('udp4'); s.on('message', (m, { port, address }) => s.send('heard ' + m, port, address)); s.bind(53, () => console.log('bound'))";

test('a UDP port is forwarded from one address of the node', async () => {
  const port_mappings = [{ protocol: 'UDP', container_port: 53, host_port: 12_853, host_ip: '127.0.0.1' }] as const;
  const named = await suite.pod({ metadata: { name: 'named', namespace: 'default', uid: 'named', attempt: 0 }, port_mappings });
  const { pid } = await verbose('ContainerStatus', { container_id: await suite.run(named, [...waiting]) });
  const server = spawn('nsenter', ['--target', String(pid), '--net', process.execPath, '-e', echo], { stdio: ['ignore', 'pipe', 'inherit'] });
  const client = createSocket('udp4');
  try {
    await once(server.stdout, 'data');
    const ask = async (host: string): Promise<string> => {
      const answer = once(client, 'message', { signal: AbortSignal.timeout(1000) }).then(([message]) => String(message), () => 'nothing');
      client.send('it', 12_853, host);
      return answer;
    };
    expect(await ask('127.0.0.1')).toBe('heard it');
    expect(await ask(`${suite.node.scratch.subnet}.1`)).toBe('nothing');
  } finally {
    client.close();
    server.kill('SIGKILL');
  }
});
