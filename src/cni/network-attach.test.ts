import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BerthError } from '../lib/errors.ts';
import { address, attachment, failure, list, networkFixture } from './testing/network-fixture.ts';

const cni = networkFixture();

test('ADD goes through the chain, each plugin getting the result before it', async () => {
  cni.plugin('one', () => address('10.0.0.2/24', { first: true }));
  cni.plugin('two', ({ input }) => JSON.stringify({ ...(input['prevResult'] as object), second: true }));
  cni.conf('10.conflist', list(['loopback', 'one', { type: 'two', extra: { deep: [1] } }]));
  const result = await cni.open().attach(attachment({ args: { K8S_POD_NAME: 'web', IgnoreUnknown: '1' } }));
  expect(cni.commands()).toEqual(['one ADD', 'two ADD']);
  const [one, two] = cni.runs.filter(({ command }) => command === 'ADD');
  expect(one?.env).toEqual({
    PATH: expect.stringContaining('/usr/sbin'),
    CNI_COMMAND: 'ADD',
    CNI_CONTAINERID: 'pod1',
    CNI_NETNS: '/proc/self/ns/net',
    CNI_IFNAME: 'eth0',
    CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAME=web',
    CNI_PATH: `${join(cni.dir, 'none')}:${join(cni.dir, 'bin')}`,
  });
  expect(one?.input).toEqual({ type: 'one', name: 'test', cniVersion: '1.0.0' });
  expect(two?.input).toEqual({ type: 'two', extra: { deep: [1] }, name: 'test', cniVersion: '1.0.0', prevResult: JSON.parse(address('10.0.0.2/24', { first: true })) });
  expect(result).toMatchObject({ network: 'test', cniVersion: '1.0.0', ips: ['10.0.0.2'], interfaceName: 'eth0' });
  expect(JSON.parse(result.raw)).toEqual({ ...JSON.parse(address('10.0.0.2/24')), first: true, second: true });
  expect(cni.observed.filter((line) => !line.includes('VERSION'))).toEqual(['one ADD true', 'two ADD true']);
});

test('plugins are told what they declare to want, and nothing else', async () => {
  cni.plugin('one');
  cni.plugin('two');
  cni.conf('10.conflist', list([{ type: 'one', capabilities: { portMappings: true, dns: true, bandwidth: false } }, { type: 'two', capabilities: { 'io.kubernetes.cri.pod-annotations': true, ips: true } }]));
  await cni.open().attach(
    attachment({
      portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp', hostIp: '127.0.0.1' }],
      capabilities: { dns: { servers: ['1.1.1.1'] }, bandwidth: { ingressRate: 1 }, 'io.kubernetes.cri.pod-annotations': { a: 'b' } },
    }),
  );
  const [one, two] = cni.runs.filter(({ command }) => command === 'ADD');
  expect(one?.input['runtimeConfig']).toEqual({ portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp', hostIP: '127.0.0.1' }], dns: { servers: ['1.1.1.1'] } });
  expect(two?.input['runtimeConfig']).toEqual({ 'io.kubernetes.cri.pod-annotations': { a: 'b' } });
});

test('a plugin that wants ports is not told of none', async () => {
  cni.plugin('one');
  cni.conf('10.conflist', list([{ type: 'one', capabilities: { portMappings: true } }]));
  await cni.open().attach(attachment());
  expect(cni.runs.at(-1)?.input).toEqual({ type: 'one', capabilities: { portMappings: true }, name: 'test', cniVersion: '1.0.0' });
});

test('pods do not wait for each other', async () => {
  const stuck = Promise.withResolvers<string>();
  cni.plugin('one', ({ env }) => (env['CNI_CONTAINERID'] === 'stuck' ? stuck.promise : address('10.0.0.3')));
  cni.conf('10.conflist', list(['one']));
  const opened = cni.open();
  const waiting = opened.attach(attachment({ id: 'stuck' }));
  expect((await opened.attach(attachment())).ips).toEqual(['10.0.0.3']);
  stuck.resolve(address('10.0.0.2'));
  await waiting;
});

test.each([
  ['that is not JSON', 'yes', 'the result of CNI plugin "one" is not JSON'],
  ['that is empty', '', 'the result of CNI plugin "one" is not JSON'],
  ['without an address', '{"cniVersion":"1.0.0"}', 'has no address for the pod'],
])('a result %s fails the attach', async (_, text, fault) => {
  cni.plugin('one', () => text);
  cni.conf('10.conflist', list(['one']));
  expect((await failure(cni.open().attach(attachment()))).message).toContain(fault);
});

test('plugin errors keep their meaning', async () => {
  const codes: readonly (readonly [number, string])[] = [[11, 'unavailable'], [50, 'unavailable'], [7, 'precondition'], [2, 'precondition'], [3, 'internal'], [999, 'internal']];
  cni.conf('10.conflist', list(['one']));
  for (const [code, kind] of codes) {
    cni.plugin('one', () => ({ exitCode: 1, stdout: { code, msg: 'm' } }));
    expect([code, (await failure(cni.open().attach(attachment()))).kind]).toEqual([code, kind]);
  }
});

test('a plugin that the agent gave up on is named', async () => {
  cni.plugin('one', () => { throw new BerthError('timeout', 'berth-agent did not answer Exec within 62000 ms'); });
  cni.conf('10.conflist', list(['one']));
  const error = await failure(cni.open().attach(attachment()));
  expect([error.kind, error.message]).toEqual(['timeout', 'CNI plugin "one" failed ADD for network "test": berth-agent did not answer Exec within 62000 ms']);
  expect(cni.observed.at(-1)).toBe('one ADD false');
});

test.each(['a;IP=10.0.0.1', 'a\0b'])('an argument that would not be read as it is, %j, is refused, and does not stand in the way of the undo', async (name) => {
  cni.plugin('one');
  cni.conf('10.conflist', list(['one']));
  const opened = cni.open();
  const evil = attachment({ args: { K8S_POD_NAME: name, K8S_POD_UID: 'u' } });
  expect((await failure(opened.attach(evil))).kind).toBe('invalid');
  await cni.open().detach(evil, undefined);
  expect(cni.runs.at(-1)?.env['CNI_ARGS']).toBe('IgnoreUnknown=1;K8S_POD_UID=u');
});

test('addresses are those of the pod, its own interface first', async () => {
  const interfaces = [{ name: 'br0' }, { name: 'net1', sandbox: '/ns' }, { name: 'eth0', sandbox: '/ns' }];
  const ips = [{ address: '10.9.0.1/16', interface: 0 }, { address: '10.8.0.5/16', interface: 1 }, { address: '10.7.0.5/16', interface: 2 }, { address: 'fd00::5/64', interface: 2 }];
  cni.plugin('one', () => JSON.stringify({ interfaces, ips }));
  cni.conf('10.conflist', list(['one']));
  expect((await cni.open().attach(attachment())).ips).toEqual(['10.7.0.5', 'fd00::5', '10.8.0.5']);
});

test('plugins inherit the environment, but not what is between systemd, Node and berthd', async () => {
  cni.plugin('one');
  cni.conf('10.conflist', list(['one']));
  await cni.open({ PATH: '/opt/bin', http_proxy: 'p', NOTIFY_SOCKET: '/x', NODE_OPTIONS: 'y', LISTEN_FDS: '1', CNI_ARGS: 'z' }).attach(attachment());
  const env = cni.runs.at(-1)?.env ?? {};
  expect(env).toMatchObject({ PATH: '/opt/bin', http_proxy: 'p', CNI_ARGS: 'IgnoreUnknown=1' });
  expect(Object.keys(env).filter((name) => /NOTIFY|NODE|LISTEN/.test(name))).toEqual([]);
});

test('a result whose names are in another case is read as the reference library reads it', async () => {
  const result = { CNIVersion: '1.0.0', Interfaces: [{ name: 'veth', sandbox: '' }, { Name: 'eth0', SandBox: '/ns' }], IPs: [{ Address: '10.9.0.1/16', interface: 0 }, { address: '10.8.0.5/16', Interface: 1 }] };
  cni.plugin('one', () => JSON.stringify(result));
  cni.conf('10.conflist', list(['one']));
  expect((await cni.open().attach(attachment())).ips).toEqual(['10.8.0.5']);
});
