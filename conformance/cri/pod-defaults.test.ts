/** What a pod has where its request says nothing. */
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { NamespaceOptions, PodConfig } from '../fixtures/cri-types.ts';
import { pidOf } from './cgroup-file.ts';
import { CriSuite, waiting } from './suite.ts';

let suite: CriSuite;
beforeAll(async () => {
  suite = await CriSuite.start();
});
afterEach(async () => {
  await suite.node.removePods();
});
afterAll(async () => suite.close());

const secured = (options: NamespaceOptions) => ({ security_context: { namespace_options: { pid: 'CONTAINER', ...options } as const } });

/** Past the fixture, which fills in what a kubelet would say: a pod with `options` and nothing else, and a container in it. */
async function bare(options: NamespaceOptions = {}, over: Partial<PodConfig> = {}): Promise<(command: string) => Promise<string>> {
  const config: PodConfig = { metadata: { name: 'bare', namespace: 'default', uid: 'bare', attempt: 0 }, linux: secured(options), ...over };
  const pod = { id: await suite.cri.runPod(config), config };
  const id = await suite.run(pod, [...waiting], { linux: secured(options) });
  return async (command) => (await suite.cri.execSync(id, ['sh', '-c', command])).stdout.toString();
}

const ofNode = (path: string): string => readFileSync(`/proc/${suite.node.namespace.pid}/root${path}`, 'utf8');

test('name, hosts and resolver of the node', async () => {
  const say = await bare();
  expect(await say('hostname; cat /etc/hostname; echo $HOSTNAME')).toBe(`${hostname()}\n`.repeat(3));
  expect(await say('cat /etc/hosts')).toBe(ofNode('/etc/hosts'));
  expect(await say('cat /etc/resolv.conf')).toBe(ofNode('/etc/resolv.conf'));
});

test('on the node’s network these are the node’s as well, and so is what the kernel calls it', async () => {
  const say = await bare({ network: 'NODE' });
  expect(await say('hostname; cat /etc/hostname; echo $HOSTNAME')).toBe(`${hostname()}\n`.repeat(3));
  expect(await say('cat /etc/resolv.conf')).toBe(ofNode('/etc/resolv.conf'));
  for (const kind of ['net', 'uts']) expect(await say(`readlink /proc/self/ns/${kind}`), kind).toBe(`${readlinkSync(`/proc/${suite.node.pid}/ns/${kind}`)}\n`);
});

test('unprivileged ports and pings are for a network of the pod’s own, and leave the node’s as it was', async () => {
  const sysctls = ['ip_unprivileged_port_start', 'ping_group_range'].map((name) => `/proc/sys/net/ipv4/${name}`);
  const before = sysctls.map((path) => readFileSync(path, 'utf8')).join('');
  expect(await (await bare({ network: 'NODE' }))(`cat ${sysctls.join(' ')}`)).toBe(before);
  await suite.node.removePods();
  expect(await (await bare())(`cat ${sysctls.join(' ')}`)).toBe('0\n0\t2147483647\n');
});

test('64 MiB of shared memory for everyone, from which nothing runs', async () => {
  const say = await bare();
  expect(await say('stat -c %a /dev/shm; df -k /dev/shm | awk \'NR==2 {print $2}\'')).toBe('1777\n65536\n');
  expect((await say('awk \'$2=="/dev/shm" {print $4}\' /proc/mounts')).trim().split(',')).toEqual(expect.arrayContaining(['rw', 'nosuid', 'nodev', 'noexec']));
});

test('a cgroup below the parent of the config', async () => {
  await bare();
  const [container] = await suite.cri.listContainers();
  expect(readFileSync(`/proc/${await pidOf(suite.cri, container?.id ?? '')}/cgroup`, 'utf8')).toContain(`:${suite.node.scratch.cgroup}/${container?.id}\n`);
});

test('a log path without a directory to be in is no log', async () => {
  const config: PodConfig = { metadata: { name: 'bare', namespace: 'default', uid: 'bare', attempt: 0 }, linux: secured({}) };
  const pod = { id: await suite.cri.runPod(config), config };
  expect(await suite.finish(pod, ['sh', '-c', 'echo x; exit 3'], { log_path: 'main.log', linux: secured({}) })).toMatchObject({ exit_code: 3, log_path: '' });
});
