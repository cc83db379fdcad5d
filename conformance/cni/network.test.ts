/** The network driver against the reference plugins. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BerthError } from '../../src/lib/errors.ts';
import { freePort } from '../fixtures/free-port.ts';
import { missing, nativeDirectory } from '../native/private-agent.ts';
import { PodNetwork, type TestPod } from './pod-network.ts';

const absent = missing(join(nativeDirectory, 'berth-agent'), '/usr/lib/cni/bridge', '/usr/lib/cni/portmap');
if (absent !== undefined) console.warn(`skipped: there is no ${absent}`);

const nothing = { addresses: [], ports: [], rules: [] };
/** The bridge plugin 1.1.1 finds the masquerading rules by the addresses inside the namespace, so they stay when that is gone. */
const nothingButMasquerade = { addresses: [], ports: [] };

/** What the server at the address says, or how connecting failed. */
async function ask(port: number, host: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, host, timeout: 2000 });
    socket.on('data', (data) => {
      resolve(data.toString().trim());
      socket.destroy();
    });
    socket.on('error', (error) => {
      resolve(error.message);
    });
    socket.on('timeout', () => {
      resolve('timeout');
      socket.destroy();
    });
  });
}

async function failure(promise: Promise<unknown>): Promise<BerthError> {
  const error: unknown = await promise.then(() => undefined, (caught: unknown) => caught);
  if (error instanceof BerthError) return error;
  throw new Error('a BerthError was expected', { cause: error });
}

describe.skipIf(absent !== undefined)('CNI', () => {
  let net: PodNetwork;
  let servers: ChildProcess[];

  /** A server in the pod's network that says `word` to whoever connects. */
  const serve = (pod: TestPod, port: number, word: string): void => {
    const script = `require('node:net').createServer((socket) => socket.end('${word}')).listen(${port})`;
    servers.push(spawn('nsenter', [`--net=${pod.attachment.netnsPath}`, '--', process.execPath, '-e', script], { stdio: 'ignore' }));
  };

  beforeEach(() => {
    servers = [];
    net = new PodNetwork();
  });

  afterEach(async () => {
    for (const server of servers) server.kill('SIGKILL');
    await net.close();
  });

  test('a pod gets an address, is reachable, passes CHECK and leaves nothing', async () => {
    const pod = await net.pod();
    const result = await net.attach(pod);
    const [ip = ''] = result.ips;
    expect(ip.startsWith(`${net.scratch.subnet}.`)).toBe(true);
    expect(result).toMatchObject({ network: net.scratch.network, cniVersion: '1.0.0', interfaceName: 'eth0' });
    expect(net.addresses()).toEqual([ip]);
    expect(net.inside(pod, 'ip', '-4', '-o', 'addr', 'show', 'eth0')).toContain(`${ip}/24`);
    expect(net.inside(pod, 'ip', '-o', 'link', 'show', 'lo')).toContain('UP');
    serve(pod, 80, 'hello');
    await expect.poll(() => ask(80, ip)).toBe('hello');
    await net.network.check(pod.attachment, result);
    await net.detach(pod);
    expect(net.held()).toEqual(nothing);
    // It has no port mappings, so portmap would have nothing to do.
    expect(net.observed.filter((line) => !line.includes('VERSION'))).toEqual(['bridge ADD', 'bridge CHECK', 'bridge DEL'].map((line) => `${line} true true`));
  });

  test('CHECK notices that the interface is gone', async () => {
    const pod = await net.pod();
    const result = await net.attach(pod);
    net.inside(pod, 'ip', 'link', 'delete', 'eth0');
    const error = await failure(net.network.check(pod.attachment, result));
    expect(error.message).toContain('CNI plugin "bridge" failed CHECK');
    await net.detach(pod);
    expect(net.held()).toMatchObject(nothingButMasquerade);
  });

  test('DEL may be repeated, and comes through when the namespace is gone', async () => {
    const ports = [{ hostPort: await freePort(), containerPort: 80, protocol: 'tcp' as const, hostIp: '' }];
    const pods = [await net.pod(), await net.pod({ portMappings: ports }), await net.pod()];
    for (const pod of pods) await net.attach(pod);
    const [first, second, third] = pods as [TestPod, TestPod, TestPod];
    await net.detach(first);
    await net.detach(first);
    await net.dropNamespaces(second);
    await net.detach(second, { netnsPath: '' });
    await net.detach(second, { netnsPath: '' });
    await net.dropNamespaces(third);
    await net.detach(third);
    await expect.poll(() => net.held()).toMatchObject(nothingButMasquerade);
    expect(net.held().rules.filter((rule) => rule.includes('CNI-DN-'))).toEqual([]);
  });

  test('ports of the host lead to the pod, by loopback and by address, until it is detached', async () => {
    const [hostPort, localOnly] = [await freePort(), await freePort()];
    const pod = await net.pod({
      portMappings: [
        { hostPort, containerPort: 8080, protocol: 'tcp', hostIp: '' },
        { hostPort: localOnly, containerPort: 8080, protocol: 'tcp', hostIp: '127.0.0.1' },
      ],
    });
    await net.attach(pod);
    serve(pod, 8080, 'mapped');
    await expect.poll(() => ask(hostPort, '127.0.0.1')).toBe('mapped');
    expect(await ask(hostPort, `${net.scratch.subnet}.1`)).toBe('mapped');
    expect(await ask(localOnly, '127.0.0.1')).toBe('mapped');
    expect(await ask(localOnly, `${net.scratch.subnet}.1`)).toContain('ECONNREFUSED');
    await net.detach(pod);
    expect(await ask(hostPort, '127.0.0.1')).toContain('ECONNREFUSED');
    expect(net.held()).toEqual(nothing);
  });

  test('pods that start together get different addresses', async () => {
    const pods = await Promise.all(Array.from({ length: 8 }, async () => net.pod()));
    const results = await Promise.all(pods.map(async (pod) => net.attach(pod)));
    expect(new Set(results.flatMap(({ ips }) => ips)).size).toBe(8);
    await Promise.all(pods.map(async (pod) => net.detach(pod)));
    expect(net.held()).toEqual(nothing);
  });

  test('a caller who leaves in the middle of an ADD leaks nothing', async () => {
    for (const delayMs of [0, 5, 20, 60, 120]) {
      const pod = await net.pod();
      const caller = new AbortController();
      const attaching = net.attach(pod, caller.signal).then(() => 'attached', () => 'left');
      await sleep(delayMs);
      caller.abort(new Error('left'));
      await attaching;
      await net.detach(pod);
      expect([delayMs, net.held()]).toEqual([delayMs, nothing]);
    }
  });

  test('a failing plugin is named, and what came before it is undone', async () => {
    net.plugin('grumpy', `[ $CNI_COMMAND = ADD ] || exit 0; echo '{"cniVersion":"1.0.0","code":101,"msg":"I will not","details":"today"}'; exit 1`);
    net.configure('10-fixture.conflist', net.chain({ type: 'grumpy' }));
    await expect.poll(() => net.network.status().configJson).toContain('grumpy');
    const pod = await net.pod();
    const error = await failure(net.attach(pod));
    expect(error.message).toBe(`CNI plugin "grumpy" failed ADD for network "${net.scratch.network}": I will not (today)`);
    expect(net.held().addresses).toHaveLength(1);
    await net.detach(pod);
    expect(net.held()).toEqual(nothing);
  });

  test('a plugin is told its capabilities, arguments and the result before it', async () => {
    net.plugin('notes', 'echo "$input" > $notes/input-$CNI_COMMAND; echo "$CNI_ARGS $CNI_IFNAME $CNI_CONTAINERID" > $notes/env; [ $CNI_COMMAND = ADD ] && echo "$input" | jq .prevResult; true');
    net.configure('10-fixture.conflist', net.chain({ type: 'notes', capabilities: { 'io.kubernetes.cri.pod-annotations': true, dns: true } }));
    await expect.poll(() => net.network.status().configJson).toContain('notes');
    const pod = await net.pod({ capabilities: { 'io.kubernetes.cri.pod-annotations': { team: 'a;b=c' }, dns: { servers: ['10.0.0.1'] }, bandwidth: { ingressRate: 1 } } });
    const result = await net.attach(pod);
    const input = JSON.parse(net.note('input-ADD')) as Record<string, unknown>;
    expect(input).toMatchObject({ type: 'notes', cniVersion: '1.0.0', name: net.scratch.network, runtimeConfig: { 'io.kubernetes.cri.pod-annotations': { team: 'a;b=c' }, dns: { servers: ['10.0.0.1'] } } });
    expect(Object.keys(input['runtimeConfig'] as object)).toHaveLength(2);
    expect(input['prevResult']).toEqual(JSON.parse(result.raw));
    expect(net.note('env').trim()).toBe(`IgnoreUnknown=1;K8S_POD_NAME=${pod.attachment.id};K8S_POD_NAMESPACE=test eth0 ${pod.attachment.id}`);
    await net.detach(pod);
    expect((JSON.parse(net.note('input-DEL')) as Record<string, unknown>)['prevResult']).toEqual(JSON.parse(result.raw));
    expect(net.held()).toEqual(nothing);
  });

  test('a change of the config is for new pods; old ones end as they began', async () => {
    const old = await net.pod();
    await net.attach(old);
    const next = net.chain();
    rmSync(join(net.scratch.cniConfDir, '10-fixture.conflist'));
    await expect.poll(() => net.network.status().ready).toBe(false);
    expect((await failure(net.attach(await net.pod()))).kind).toBe('unavailable');
    net.configure('20-next.conflist', { ...next, name: `${net.scratch.network}-next`, cniVersion: '0.4.0' });
    await expect.poll(() => net.network.status().ready).toBe(true);
    const young = await net.pod();
    expect(await net.attach(young)).toMatchObject({ network: `${net.scratch.network}-next`, cniVersion: '0.4.0' });
    await net.detach(old);
    expect([net.addresses().length, net.addresses(`${net.scratch.network}-next`).length]).toEqual([0, 1]);
    await net.detach(young);
    expect(net.addresses(`${net.scratch.network}-next`)).toEqual([]);
  });

  test('the newest version that all plugins speak is chosen; one that they do not speak is reported before a pod needs it', async () => {
    net.configure('10-fixture.conflist', { ...net.chain(), cniVersion: undefined, cniVersions: ['0.4.0', '1.0.0', '1.1.0'] });
    await expect.poll(() => net.network.status().configJson).toContain('cniVersions');
    const pod = await net.pod();
    expect((await net.attach(pod)).cniVersion).toBe('1.0.0');
    await net.detach(pod);
    net.configure('10-fixture.conflist', { ...net.chain(), cniVersion: '1.1.0' });
    await expect.poll(() => net.network.status().reason, { timeout: 5000 }).toContain('wants CNI 1.1.0, but the plugin "bridge" speaks');
  });

  test('two families, a sysctl and a limited rate in one chain', async () => {
    const { bridge, subnet, ipamDir, network, id } = net.scratch;
    const ipam = { type: 'host-local', dataDir: ipamDir, ranges: [[{ subnet: `${subnet}.0/24` }], [{ subnet: `fd00:${id}::/64` }]], routes: [{ dst: '0.0.0.0/0' }] };
    const plugins = [
      { type: 'loopback' },
      { type: 'bridge', bridge, isGateway: true, ipam },
      { type: 'tuning', sysctl: { 'net.ipv4.conf.eth0.arp_filter': '1' } },
      { type: 'bandwidth', capabilities: { bandwidth: true } },
    ];
    net.configure('10-fixture.conflist', { cniVersion: '1.0.0', name: network, plugins });
    await expect.poll(() => net.network.status().configJson).toContain('tuning');
    const pod = await net.pod({ capabilities: { bandwidth: { ingressRate: 8_000_000, ingressBurst: 8_000_000 } } });
    const result = await net.attach(pod);
    expect(result.ips).toEqual([expect.stringMatching(`^${subnet}\\.\\d+$`), expect.stringMatching(`^fd00:${id.replace(/^0+/, '')}::`)]);
    expect(net.inside(pod, 'cat', '/proc/sys/net/ipv4/conf/eth0/arp_filter')).toBe('1');
    await net.network.check(pod.attachment, result);
    await net.detach(pod);
    expect(net.held()).toEqual(nothing);
    expect(existsSync(`/sys/class/net/${bridge}`)).toBe(true);
  });
});
