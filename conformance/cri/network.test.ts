/** What a pod's network plugins are told, and what happens to a pod when they fail. */
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { grpcStatus } from '../fixtures/cri.ts';
import { freePort } from '../fixtures/free-port.ts';
import { noHoldings } from '../fixtures/leaks.ts';
import { podConfig } from '../fixtures/pods.ts';
import { cniBinDirs } from '../fixtures/scratch.ts';
import { CriSuite, type SuitePod, waiting } from './suite.ts';

let suite: CriSuite;
let notes: string;
let conflist: string;

/** Writes down what it is told; fails when a file says so; gives back a result without addresses when one says that. */
const script = (dir: string): string => `#!/bin/sh
[ "$CNI_COMMAND" = VERSION ] && { echo '{"cniVersion":"1.0.0","supportedVersions":["0.4.0","1.0.0"]}'; exit; }
cat > ${dir}/input-$CNI_COMMAND
echo "$CNI_ARGS" > ${dir}/args-$CNI_COMMAND
[ -e ${dir}/fail-$CNI_COMMAND ] && { echo '{"cniVersion":"1.0.0","code":100,"msg":"'$CNI_COMMAND' fails on purpose"}'; exit 1; }
[ "$CNI_COMMAND" = ADD ] || exit 0
[ -e ${dir}/no-address ] && { echo '{"cniVersion":"1.0.0"}'; exit; }
[ -e ${dir}/second-address ] && { jq '.prevResult | .ips += [{address: "fd00:77::5/64", interface: (.interfaces | map(.name) | index("eth0"))}]' ${dir}/input-ADD; exit; }
jq .prevResult ${dir}/input-ADD
`;

beforeAll(async () => {
  notes = mkdtempSync(join(tmpdir(), 'berth-notes-'));
  writeFileSync(join(notes, 'notes'), script(notes), { mode: 0o755 });
  suite = await CriSuite.start({ cni: { bin_dirs: [notes, ...cniBinDirs] } });
  conflist = join(suite.node.scratch.cniConfDir, '10-fixture.conflist');
  const list = JSON.parse(readFileSync(conflist, 'utf8')) as { plugins: object[] };
  const capabilities = { portMappings: true, dns: true, bandwidth: true, cgroupPath: true, 'io.kubernetes.cri.pod-annotations': true };
  writeFileSync(conflist, JSON.stringify({ ...list, plugins: [...list.plugins, { type: 'notes', capabilities }] }));
  await vi.waitFor(async () => expect((await suite.cri.status(true)).info['cniconfig']).toContain('notes'), { timeout: 10_000, interval: 50 });
});
afterEach(async () => {
  for (const what of faults) rmSync(join(notes, what), { force: true });
  await suite.node.removePods();
});
afterAll(async () => {
  await suite?.close();
  rmSync(notes, { recursive: true, force: true });
});

const faults = ['fail-ADD', 'fail-DEL', 'no-address', 'second-address'] as const;
const when = (what: (typeof faults)[number]): void => {
  writeFileSync(join(notes, what), '');
};
const networkReady = async () => (await suite.cri.status()).status.conditions.find(({ type }) => type === 'NetworkReady');

test('plugins are told which pod it is and what it asks of its network', async () => {
  const annotations = { team: 'a;b=c', 'kubernetes.io/ingress-bandwidth': '10M', 'kubernetes.io/egress-bandwidth': '1Gi' };
  const hostPort = await freePort();
  const mapped = { protocol: 'UDP', container_port: 53, host_port: hostPort, host_ip: '127.0.0.1' } as const;
  const { id, config } = await suite.pod({ annotations, port_mappings: [mapped, { protocol: 'TCP', container_port: 80, host_port: 0 }], dns_config: { servers: ['192.0.2.1'], searches: ['a.example'], options: ['ndots:5'] } });
  const { name, namespace, uid } = config.metadata;
  const args = new Map(readFileSync(join(notes, 'args-ADD'), 'utf8').trim().split(';').map((pair) => pair.split('=') as [string, string]));
  expect(Object.fromEntries(args)).toEqual({ IgnoreUnknown: '1', K8S_POD_NAMESPACE: namespace, K8S_POD_NAME: name, K8S_POD_INFRA_CONTAINER_ID: id, K8S_POD_UID: uid });
  const asked = {
    portMappings: [{ protocol: 'udp', containerPort: 53, hostPort, hostIP: '127.0.0.1' }],
    dns: { servers: ['192.0.2.1'], searches: ['a.example'], options: ['ndots:5'] },
    bandwidth: { ingressRate: 10_000_000, ingressBurst: 10_000_000, egressRate: 2 ** 30, egressBurst: 2 ** 30 },
    cgroupPath: suite.node.scratch.cgroup,
    'io.kubernetes.cri.pod-annotations': annotations,
  };
  expect((JSON.parse(readFileSync(join(notes, 'input-ADD'), 'utf8')) as { runtimeConfig: object }).runtimeConfig).toEqual(asked);
  await suite.cri.stopPod(id);
  expect((JSON.parse(readFileSync(join(notes, 'input-DEL'), 'utf8')) as { runtimeConfig: object }).runtimeConfig).toEqual(asked);
});

test('a network that cannot be taken down fails the stop and the removal, and the pod stays until it can', async () => {
  const pod = await suite.pod();
  const id = await suite.run(pod, [...waiting]);
  when('fail-DEL');
  for (const call of [suite.cri.stopPod(pod.id), suite.cri.stopPod(pod.id), suite.cri.removePod(pod.id)]) await expect(call).rejects.toMatchObject({ details: expect.stringContaining('DEL fails on purpose') });
  expect(await suite.cri.podStatus(pod.id)).toMatchObject({ id: pod.id, state: 'SANDBOX_NOTREADY' });
  expect(await suite.cri.listContainers({ id, state: { state: 'CONTAINER_RUNNING' } })).toEqual([]);
  for (const what of ['fail-DEL', 'input-DEL']) rmSync(join(notes, what));
  await suite.cri.stopPod(pod.id);
  expect(existsSync(join(notes, 'input-DEL'))).toBe(true);
  await suite.cri.removePod(pod.id);
  expect(await suite.node.leaks()).toEqual(noHoldings);
});

test('a start that fails and cannot be undone leaves the pod to be seen, stopped and removed; its name is free after that', async () => {
  when('fail-ADD');
  when('fail-DEL');
  const config = podConfig(suite.node.scratch, 'stuck');
  await expect(suite.cri.runPod(config)).rejects.toMatchObject({ details: expect.stringContaining('ADD fails on purpose') });
  const [stuck] = await suite.cri.listPods();
  expect(stuck).toMatchObject({ metadata: config.metadata, state: 'SANDBOX_NOTREADY' });
  rmSync(join(notes, 'fail-ADD'));
  await expect(suite.cri.runPod(config)).rejects.toMatchObject({ code: grpcStatus.ALREADY_EXISTS });
  rmSync(join(notes, 'fail-DEL'));
  await suite.cri.stopPod(stuck?.id ?? '');
  await suite.cri.removePod(stuck?.id ?? '');
  expect(await suite.node.leaks()).toEqual(noHoldings);
  const id = await suite.cri.runPod(config);
  expect((await suite.cri.listPods()).map((pod) => pod.id)).toEqual([id]);
});

test('a second address is told beside the first, also to who only asks after a restart', async () => {
  when('second-address');
  const { id } = await suite.pod();
  const told = async () => (await suite.cri.podStatus(id)).network;
  const expected = { ip: expect.stringMatching(new RegExp(`^${suite.node.scratch.subnet}\\.`)), additional_ips: [{ ip: 'fd00:77::5' }] };
  expect(await told()).toEqual(expected);
  await suite.node.kill();
  await suite.node.startAgain();
  expect(await told()).toEqual(expected);
});

test('a network that gives no address fails the start by a name and leaves nothing', async () => {
  when('no-address');
  await expect(suite.pod()).rejects.toMatchObject({ details: expect.stringMatching(/address/) });
  expect(await suite.cri.listPods()).toEqual([]);
  expect(await suite.node.leaks()).toEqual(noHoldings);
});

test('a bandwidth that is none fails the start by its annotation and leaves nothing', async () => {
  await expect(suite.pod({ annotations: { 'kubernetes.io/ingress-bandwidth': 'plenty' } })).rejects.toMatchObject({ code: grpcStatus.INVALID_ARGUMENT, details: expect.stringContaining('ingress-bandwidth') });
  expect(await suite.cri.listPods()).toEqual([]);
  expect(await suite.node.leaks()).toEqual(noHoldings);
});

test('without a network config the status says so and pods cannot start; those of before live on and end as they began', async () => {
  const before = await suite.pod();
  const id = await suite.run(before, [...waiting]);
  renameSync(conflist, `${conflist}.away`);
  try {
    await expect.poll(networkReady, { timeout: 10_000 }).toMatchObject({ status: false, reason: 'NetworkPluginNotReady', message: expect.stringContaining(suite.node.scratch.cniConfDir) });
    await expect(suite.pod()).rejects.toMatchObject({ code: grpcStatus.UNAVAILABLE });
    const host: SuitePod = await suite.pod({ metadata: { name: 'host', namespace: 'default', uid: 'host', attempt: 0 }, linux: { cgroup_parent: suite.node.scratch.cgroup, security_context: { namespace_options: { network: 'NODE', pid: 'CONTAINER' } } } });
    expect((await suite.cri.podStatus(host.id)).state).toBe('SANDBOX_READY');
    expect((await suite.cri.execSync(id, ['echo', 'on'])).stdout.toString()).toBe('on\n');
    await suite.node.removePods();
    expect(await suite.node.leaks()).toEqual(noHoldings);
  } finally {
    renameSync(`${conflist}.away`, conflist);
    await expect.poll(networkReady, { timeout: 10_000 }).toMatchObject({ status: true });
  }
});
