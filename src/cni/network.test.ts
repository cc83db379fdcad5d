import { chmodSync, mkdirSync, mkdtempSync, rmSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BerthError } from '../lib/errors.ts';
import type { ExecRequest, ExecResult } from '../native/port.ts';
import { createNetwork } from './network.ts';
import type { CniAttachment, CniResult, Network } from './port.ts';

interface Run {
  readonly type: string;
  readonly command: string;
  readonly env: Readonly<Record<string, string>>;
  readonly input: Readonly<Record<string, unknown>>;
}

type Answer = string | { readonly exitCode: number; readonly stdout?: unknown; readonly stderr?: string } | Promise<string>;

let dir: string;
let runs: Run[];
let lines: string[];
let observed: string[];
let plugins: Record<string, (run: Run) => Answer>;
let network: Network | undefined;

const address = (ip: string, more: object = {}): string => JSON.stringify({ cniVersion: '1.0.0', ips: [{ address: ip }], ...more });
const speaks = (...supportedVersions: readonly string[]): string => JSON.stringify({ cniVersion: '1.0.0', supportedVersions });

/** Stands for the agent: plugins are functions, found like programs. */
async function exec({ argv, env, stdin }: ExecRequest): Promise<ExecResult> {
  const type = argv[0].split('/').at(-1) ?? '';
  const run = { type, command: env['CNI_COMMAND'] ?? '', env, input: JSON.parse(Buffer.from(stdin ?? []).toString()) as Run['input'] };
  runs.push(run);
  const answer = await plugins[type]?.(run);
  if (answer === undefined) throw new Error(`no plugin ${type}`);
  const { exitCode, stdout = '', stderr = '' } = typeof answer === 'string' ? { exitCode: 0, stdout: answer } : answer;
  return { exitCode, stdout: Buffer.from(typeof stdout === 'string' ? stdout : JSON.stringify(stdout)), stderr: Buffer.from(stderr) };
}

function plugin(type: string, answer: (run: Run) => Answer = () => address('10.0.0.2/24'), versions = ['0.3.1', '0.4.0', '1.0.0']): void {
  writeFileSync(join(dir, 'bin', type), '#!/bin/false\n');
  chmodSync(join(dir, 'bin', type), 0o755);
  plugins[type] = (run) => (run.command === 'VERSION' ? speaks(...versions) : answer(run));
}

function conf(name: string, value: unknown): void {
  writeFileSync(join(dir, 'conf', name), typeof value === 'string' ? value : JSON.stringify(value));
}

const list = (types: readonly (string | object)[], more: object = {}): object => ({
  cniVersion: '1.0.0',
  name: 'test',
  plugins: types.map((type) => (typeof type === 'string' ? { type } : type)),
  ...more,
});

function open(environment: Readonly<Record<string, string>> = {}): Network {
  network?.close();
  const log = { info: (_: object, message: string): unknown => lines.push(message), warn: (_: object, message: string): unknown => lines.push(message) };
  const observer = { pluginEnded: (type: string, command: string, _: number, ok: boolean): unknown => observed.push(`${type} ${command} ${ok}`) };
  network = createNetwork({ agent: { exec }, log, observer }, { confDir: join(dir, 'conf'), binDirs: [join(dir, 'none'), join(dir, 'bin')], environment });
  return network;
}

const attachment = (more: Partial<CniAttachment> = {}): CniAttachment => ({ id: 'pod1', netnsPath: '/proc/self/ns/net', args: {}, portMappings: [], capabilities: {}, ...more });

const commands = (): readonly string[] => runs.filter(({ command }) => command !== 'VERSION').map(({ type, command }) => `${type} ${command}`);

async function failure(promise: Promise<unknown>): Promise<BerthError> {
  const error: unknown = await promise.then(() => undefined, (caught: unknown) => caught);
  if (error instanceof BerthError) return error;
  throw new Error('a BerthError was expected', { cause: error });
}

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'berth-cni-'));
  mkdirSync(join(dir, 'conf'));
  mkdirSync(join(dir, 'bin'));
  [runs, lines, observed, plugins] = [[], [], [], {}];
});

afterEach(() => {
  network?.close();
  network = undefined;
  rmSync(dir, { recursive: true });
});

test('ADD goes through the chain, each plugin getting the result before it', async () => {
  plugin('one', () => address('10.0.0.2/24', { first: true }));
  plugin('two', ({ input }) => JSON.stringify({ ...(input['prevResult'] as object), second: true }));
  conf('10.conflist', list(['loopback', 'one', { type: 'two', extra: { deep: [1] } }]));
  const result = await open().attach(attachment({ args: { K8S_POD_NAME: 'web', IgnoreUnknown: '1' } }));
  expect(commands()).toEqual(['one ADD', 'two ADD']);
  const [one, two] = runs.filter(({ command }) => command === 'ADD');
  expect(one?.env).toEqual({
    PATH: expect.stringContaining('/usr/sbin'),
    CNI_COMMAND: 'ADD',
    CNI_CONTAINERID: 'pod1',
    CNI_NETNS: '/proc/self/ns/net',
    CNI_IFNAME: 'eth0',
    CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAME=web',
    CNI_PATH: `${join(dir, 'none')}:${join(dir, 'bin')}`,
  });
  expect(one?.input).toEqual({ type: 'one', name: 'test', cniVersion: '1.0.0' });
  expect(two?.input).toEqual({ type: 'two', extra: { deep: [1] }, name: 'test', cniVersion: '1.0.0', prevResult: JSON.parse(address('10.0.0.2/24', { first: true })) });
  expect(result).toMatchObject({ network: 'test', cniVersion: '1.0.0', ips: ['10.0.0.2'], interfaceName: 'eth0' });
  expect(JSON.parse(result.raw)).toEqual({ ...JSON.parse(address('10.0.0.2/24')), first: true, second: true });
  expect(observed.filter((line) => !line.includes('VERSION'))).toEqual(['one ADD true', 'two ADD true']);
});

test('plugins are told what they declare to want, and nothing else', async () => {
  plugin('one');
  plugin('two');
  conf('10.conflist', list([{ type: 'one', capabilities: { portMappings: true, dns: true, bandwidth: false } }, { type: 'two', capabilities: { 'io.kubernetes.cri.pod-annotations': true, ips: true } }]));
  await open().attach(
    attachment({
      portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp', hostIp: '127.0.0.1' }],
      capabilities: { dns: { servers: ['1.1.1.1'] }, bandwidth: { ingressRate: 1 }, 'io.kubernetes.cri.pod-annotations': { a: 'b' } },
    }),
  );
  const [one, two] = runs.filter(({ command }) => command === 'ADD');
  expect(one?.input['runtimeConfig']).toEqual({ portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp', hostIP: '127.0.0.1' }], dns: { servers: ['1.1.1.1'] } });
  expect(two?.input['runtimeConfig']).toEqual({ 'io.kubernetes.cri.pod-annotations': { a: 'b' } });
});

test('a plugin that wants ports is not told of none', async () => {
  plugin('one');
  conf('10.conflist', list([{ type: 'one', capabilities: { portMappings: true } }]));
  await open().attach(attachment());
  expect(runs.at(-1)?.input).toEqual({ type: 'one', capabilities: { portMappings: true }, name: 'test', cniVersion: '1.0.0' });
});

test('the first file by name is taken, in whatever order the directory lists them', () => {
  plugin('one');
  for (let number = 99; number >= 50; number -= 1) conf(`${number}.conflist`, list(['one'], { name: `n${number}` }));
  expect(open().status().configPath).toBe(join(dir, 'conf/50.conflist'));
});

test('DEL goes backwards with the stored config and result, whatever the directory holds now', async () => {
  plugin('one');
  plugin('two');
  conf('10.conflist', list(['one', { type: 'two', old: true }]));
  const result = await open().attach(attachment());
  conf('10.conflist', list(['other'], { name: 'changed' }));
  await open().detach(attachment(), result);
  expect(commands()).toEqual(['one ADD', 'two ADD', 'two DEL', 'one DEL']);
  expect(runs.at(-2)?.input).toEqual({ type: 'two', old: true, name: 'test', cniVersion: '1.0.0', prevResult: JSON.parse(result.raw) });
});

test('DEL goes on when a plugin fails, and reports the first failure', async () => {
  plugin('one');
  plugin('two', ({ command }) => (command === 'DEL' ? { exitCode: 1, stdout: { code: 100, msg: 'broken', details: 'why' } } : address('10.0.0.2')));
  plugin('three');
  conf('10.conflist', list(['one', 'two', 'three']));
  const result = await open().attach(attachment());
  const error = await failure(open().detach(attachment(), result));
  expect(error.message).toBe('CNI plugin "two" failed DEL for network "test": broken (why)');
  expect(commands().slice(3)).toEqual(['three DEL', 'two DEL', 'one DEL']);
});

test('a plugin that knows nothing of the pod does not fail its DEL', async () => {
  plugin('one', ({ command }) => (command === 'DEL' ? { exitCode: 1, stdout: { code: 3, msg: 'unknown' } } : address('10.0.0.2')));
  conf('10.conflist', list(['one']));
  const result = await open().attach(attachment());
  await open().detach(attachment(), result);
  expect(commands()).toEqual(['one ADD', 'one DEL']);
});

test('a namespace that is gone, or is only a file by now, is not handed to DEL', async () => {
  plugin('one');
  conf('10.conflist', list(['one']));
  const result = await open().attach(attachment());
  writeFileSync(join(dir, 'pin'), '');
  for (const netnsPath of ['', join(dir, 'absent'), join(dir, 'pin'), '/proc/self/ns/net']) await open().detach(attachment({ netnsPath }), result);
  expect(runs.filter(({ command }) => command === 'DEL').map(({ env }) => env['CNI_NETNS'])).toEqual(['', '', '', '/proc/self/ns/net']);
});

test.each([
  ['0.3.1', false, []],
  ['0.4.0', true, ['one CHECK', 'two CHECK']],
])('prevResult of DEL and CHECK are of version 0.4.0 and later: %s', async (cniVersion, has, checks) => {
  plugin('one');
  plugin('two');
  conf('10.conflist', list(['one', 'two'], { cniVersion }));
  const opened = open();
  const result = await opened.attach(attachment());
  await opened.check(attachment(), result);
  expect(commands().slice(2)).toEqual(checks);
  await opened.detach(attachment(), result);
  expect('prevResult' in (runs.at(-1)?.input ?? {})).toBe(has);
});

test('disableCheck is heeded', async () => {
  plugin('one');
  conf('10.conflist', list(['one'], { disableCheck: true }));
  const opened = open();
  await opened.check(attachment(), await opened.attach(attachment()));
  expect(commands()).toEqual(['one ADD']);
});

test('a failing CHECK is reported', async () => {
  plugin('one', ({ command }) => (command === 'CHECK' ? { exitCode: 1, stdout: { code: 101, msg: 'veth missing' } } : address('10.0.0.2')));
  conf('10.conflist', list(['one']));
  const opened = open();
  expect((await failure(opened.check(attachment(), await opened.attach(attachment())))).message).toContain('failed CHECK for network "test": veth missing');
});

test('an attach that failed half-way is undone with the config that it used', async () => {
  plugin('one');
  plugin('two', ({ command }) => (command === 'ADD' ? { exitCode: 1, stderr: 'segfault\n' } : ''));
  conf('10.conflist', list(['one', 'two']));
  const opened = open();
  const error = await failure(opened.attach(attachment()));
  expect([error.kind, error.message]).toEqual(['internal', 'CNI plugin "two" failed ADD for network "test": exit code 1, segfault']);
  unlinkSync(join(dir, 'conf/10.conflist'));
  await opened.detach(attachment(), undefined);
  expect(commands()).toEqual(['one ADD', 'two ADD', 'two DEL', 'one DEL']);
});

test('an attach that never came to a plugin has nothing to undo', async () => {
  const opened = open();
  const error = await failure(opened.attach(attachment()));
  expect([error.kind, error.message]).toEqual(['unavailable', expect.stringContaining('there is no network config in')]);
  plugin('one');
  conf('10.conflist', list(['one', 'missing']));
  await opened.detach(attachment(), undefined);
  const next = open();
  expect((await failure(next.attach(attachment()))).message).toContain('"missing" is not in');
  await next.detach(attachment(), undefined);
  expect(commands()).toEqual([]);
});

test('after a restart, a pod without a result is undone with the config that is there', async () => {
  plugin('one');
  conf('10.conflist', list(['one']));
  await open().detach(attachment(), undefined);
  expect(commands()).toEqual(['one DEL']);
});

test('a caller who leaves is let go at once, and the undo waits for the plugin that still runs', async () => {
  const running = Promise.withResolvers<string>();
  plugin('one', ({ command }) => (command === 'ADD' ? running.promise : ''));
  plugin('two');
  conf('10.conflist', list(['one', 'two']));
  const opened = open();
  const caller = new AbortController();
  const attaching = opened.attach(attachment(), caller.signal).catch((error: unknown) => error);
  await expect.poll(commands).toEqual(['one ADD']);
  const reason = new Error('left');
  caller.abort(reason);
  expect(await attaching).toBe(reason);
  const undone = opened.detach(attachment(), undefined);
  await new Promise(setImmediate);
  expect(commands()).toEqual(['one ADD']);
  running.resolve(address('10.0.0.2'));
  await undone;
  expect(commands()).toEqual(['one ADD', 'two DEL', 'one DEL']);
});

test('a result that came after the caller had left is what the undo gets', async () => {
  const running = Promise.withResolvers<string>();
  plugin('one', ({ command }) => (command === 'ADD' ? running.promise : ''));
  conf('10.conflist', list(['one']));
  const opened = open();
  const attaching = opened.attach(attachment(), AbortSignal.timeout(20)).catch(() => 'left');
  expect(await attaching).toBe('left');
  running.resolve(address('10.0.0.2'));
  await opened.detach(attachment(), undefined);
  expect(runs.at(-1)?.input['prevResult']).toEqual(JSON.parse(address('10.0.0.2')));
});

test('pods do not wait for each other', async () => {
  const stuck = Promise.withResolvers<string>();
  plugin('one', ({ env }) => (env['CNI_CONTAINERID'] === 'stuck' ? stuck.promise : address('10.0.0.3')));
  conf('10.conflist', list(['one']));
  const opened = open();
  const waiting = opened.attach(attachment({ id: 'stuck' }));
  expect((await opened.attach(attachment())).ips).toEqual(['10.0.0.3']);
  stuck.resolve(address('10.0.0.2'));
  await waiting;
});

test.each([
  [['1.0.0', '0.4.0'], ['0.4.0', '1.0.0'], '1.0.0'],
  [['1.1.0', '1.0.0', '9.0.0'], ['0.4.0', '1.0.0'], '1.0.0'],
  [['1.1.0', '1.0.0'], ['1.0.0', '1.1.0'], '1.1.0'],
  [['0.4.0'], ['0.4.0', '1.1.0'], '0.4.0'],
])('of %s and plugins that speak %s, %s is used', async (cniVersions, spoken, chosen) => {
  plugin('one', () => address('10.0.0.2'), spoken);
  plugin('two', () => address('10.0.0.2'), ['0.4.0', '1.0.0', '1.1.0']);
  conf('10.conflist', list(['one', 'two'], { cniVersion: undefined, cniVersions }));
  expect((await open().attach(attachment())).cniVersion).toBe(chosen);
  expect(runs.at(-1)?.input['cniVersion']).toBe(chosen);
});

test('a version that a plugin does not speak is refused with its name, and status says so', async () => {
  plugin('one', undefined, ['1.0.0']);
  plugin('old', undefined, ['0.3.1', '0.4.0']);
  conf('10.conflist', list(['one', 'old']));
  const opened = open();
  const error = await failure(opened.attach(attachment()));
  expect([error.kind, error.message]).toEqual(['precondition', 'network "test" wants CNI 1.0.0, but the plugin "old" speaks 0.3.1, 0.4.0']);
  await expect.poll(() => opened.status()).toMatchObject({ ready: false, reason: expect.stringContaining('the plugin "old" speaks 0.3.1, 0.4.0') });
});

test('versions are asked once for each program, and again when it is replaced', async () => {
  plugin('one');
  conf('10.conflist', list(['one']));
  const opened = open();
  const asked = (): number => runs.filter(({ command }) => command === 'VERSION').length;
  for (const id of ['a', 'b', 'c']) await opened.attach(attachment({ id }));
  expect(asked()).toBe(1);
  utimesSync(join(dir, 'bin/one'), 1, 1);
  await opened.attach(attachment({ id: 'd' }));
  expect(asked()).toBe(2);
});

test('a plugin from before versions counts as 0.1.0', async () => {
  plugin('one');
  plugins['one'] = ({ command }) => (command === 'VERSION' ? { exitCode: 1, stdout: { code: 4, msg: 'unknown CNI_COMMAND: VERSION' } } : JSON.stringify({ ip4: { ip: '10.0.0.9/24' } }));
  conf('10.conflist', list(['one'], { cniVersion: '' }));
  expect(await open().attach(attachment())).toMatchObject({ cniVersion: '0.1.0', ips: ['10.0.0.9'] });
});

test('an answer that failed is not remembered', async () => {
  plugin('one');
  const good = plugins['one'];
  plugins['one'] = () => ({ exitCode: 2, stderr: 'no memory' });
  conf('10.conflist', list(['one']));
  const opened = open();
  expect((await failure(opened.attach(attachment()))).message).toContain('failed VERSION');
  if (good !== undefined) plugins['one'] = good;
  expect((await opened.attach(attachment())).ips).toEqual(['10.0.0.2']);
});

test('a plugin is missing: attach fails and status tells where it was looked for', async () => {
  conf('10.conflist', list(['absent']));
  const opened = open();
  const error = await failure(opened.attach(attachment()));
  expect([error.kind, error.message]).toEqual(['precondition', `the CNI plugin "absent" is not in ${join(dir, 'none')} or ${join(dir, 'bin')}`]);
  await expect.poll(() => opened.status().reason).toContain('"absent" is not in');
});

test('a missing ipam plugin is noticed before a pod needs it', async () => {
  plugin('one');
  conf('10.conflist', list([{ type: 'one', ipam: { type: 'host-local' } }]));
  const opened = open();
  await expect.poll(() => opened.status().reason).toContain('"host-local" is not in');
});

test('from 1.1.0 on, plugins are asked for their status', async () => {
  let limited = true;
  plugin('one', ({ command }) => (command === 'STATUS' && limited ? { exitCode: 1, stdout: { code: 50, msg: 'no addresses left' } } : address('10.0.0.2')), ['1.1.0']);
  conf('10.conflist', list(['loopback', 'one'], { cniVersion: '1.1.0' }));
  const opened = open();
  await expect.poll(() => opened.status().reason).toContain('no addresses left');
  expect(runs.find(({ command }) => command === 'STATUS')?.input).toEqual({ type: 'one', name: 'test', cniVersion: '1.1.0' });
  limited = false;
  await expect.poll(() => opened.status().ready, { timeout: 5000 }).toBe(true);
});

test.each([
  ['not json', '{', '10.conflist is not JSON'],
  ['no plugins', list([]), '"plugins" is empty'],
  ['a path as type', list(['../bin/sh']), '"type" must be the name of a plugin'],
  ['no type', list([{}]), '"type" must be the name of a plugin'],
  ['a bad name', list(['one'], { name: '-x/' }), '"name" must be'],
  ['a version of the future', list(['one'], { cniVersion: '2.0.0' }), 'wants CNI 2.0.0, and berth speaks'],
  ['a list with a wrong field', list(['one'], { plugins: 'one' }), '"plugins" must be a list'],
])('a broken file is named with its fault: %s', async (_, text, fault) => {
  conf('10.conflist', text);
  conf('20.conflist', list(['one']));
  plugin('one');
  const opened = open();
  expect(opened.status()).toMatchObject({ ready: false, configPath: join(dir, 'conf/10.conflist'), configJson: undefined });
  expect(opened.status().reason).toContain(fault);
  expect(opened.status().reason).toContain(join(dir, 'conf/10.conflist'));
  expect((await failure(opened.attach(attachment()))).kind).toBe('unavailable');
});

test('a single-plugin file stands for a list, and the first name wins', async () => {
  plugin('one');
  conf('00-loopback.conf', { cniVersion: '1.0.0', name: 'lo', type: 'loopback' });
  conf('05-notes.txt', 'x');
  conf('10-single.conf', { cniVersion: '0.4.0', name: 'single', type: 'one', capabilities: { portMappings: true }, mtu: 1400 });
  conf('20.conflist', list(['two']));
  const opened = open();
  const result = await opened.attach(attachment({ portMappings: [{ hostPort: 1, containerPort: 2, protocol: 'udp', hostIp: '' }] }));
  expect(result).toMatchObject({ network: 'single', cniVersion: '0.4.0' });
  expect(runs.at(-1)?.input).toMatchObject({ name: 'single', cniVersion: '0.4.0', mtu: 1400, runtimeConfig: { portMappings: [{ hostPort: 1 }] } });
  await opened.detach(attachment(), result);
  expect(commands()).toEqual(['one ADD', 'one DEL']);
  expect(opened.status().configPath).toBe(join(dir, 'conf/10-single.conf'));
});

test('a list in a file for single plugins is told from one', () => {
  conf('10.conf', list(['one']));
  expect(open().status().reason).toContain('must end with .conflist');
});

test('files that come, change and go are noticed', async () => {
  plugin('one');
  const opened = open();
  expect(opened.status().ready).toBe(false);
  conf('20.conflist', list(['one']));
  await expect.poll(() => opened.status().ready).toBe(true);
  conf('10.conflist', list(['one'], { name: 'first' }));
  await expect.poll(() => opened.status().configJson).toContain('"first"');
  conf('10.conflist', '{"half');
  await expect.poll(() => opened.status().reason).toContain('10.conflist is not JSON');
  rmSync(join(dir, 'conf'), { recursive: true });
  await expect.poll(() => opened.status().reason).toContain('there is no network config');
  expect(lines).toContain('network config loaded');
});

test('a directory that is made later is found', async () => {
  rmSync(join(dir, 'conf'), { recursive: true });
  plugin('one');
  const opened = open();
  mkdirSync(join(dir, 'conf'));
  conf('10.conflist', list(['one']));
  await expect.poll(() => opened.status().ready, { timeout: 8000, interval: 100 }).toBe(true);
}, 10_000);

test.each([
  ['that is not JSON', 'yes', 'the result of CNI plugin "one" is not JSON'],
  ['that is empty', '', 'the result of CNI plugin "one" is not JSON'],
  ['without an address', '{"cniVersion":"1.0.0"}', 'has no address for the pod'],
])('a result %s fails the attach', async (_, text, fault) => {
  plugin('one', () => text);
  conf('10.conflist', list(['one']));
  expect((await failure(open().attach(attachment()))).message).toContain(fault);
});

test('plugin errors keep their meaning', async () => {
  const codes: readonly (readonly [number, string])[] = [[11, 'unavailable'], [50, 'unavailable'], [7, 'precondition'], [2, 'precondition'], [3, 'internal'], [999, 'internal']];
  conf('10.conflist', list(['one']));
  for (const [code, kind] of codes) {
    plugin('one', () => ({ exitCode: 1, stdout: { code, msg: 'm' } }));
    expect([code, (await failure(open().attach(attachment()))).kind]).toEqual([code, kind]);
  }
});

test('a plugin that the agent gave up on is named', async () => {
  plugin('one', () => { throw new BerthError('timeout', 'berth-agent did not answer Exec within 62000 ms'); });
  conf('10.conflist', list(['one']));
  const error = await failure(open().attach(attachment()));
  expect([error.kind, error.message]).toEqual(['timeout', 'CNI plugin "one" failed ADD for network "test": berth-agent did not answer Exec within 62000 ms']);
  expect(observed.at(-1)).toBe('one ADD false');
});

test('arguments that would read as others are refused, and do not stand in the way of the undo', async () => {
  plugin('one');
  conf('10.conflist', list(['one']));
  const opened = open();
  const evil = attachment({ args: { K8S_POD_NAME: 'a;IP=10.0.0.1', K8S_POD_UID: 'u' } });
  expect((await failure(opened.attach(evil))).kind).toBe('invalid');
  await open().detach(evil, undefined);
  expect(runs.at(-1)?.env['CNI_ARGS']).toBe('IgnoreUnknown=1;K8S_POD_UID=u');
});

test('addresses are those of the pod, its own interface first', async () => {
  const interfaces = [{ name: 'br0' }, { name: 'net1', sandbox: '/ns' }, { name: 'eth0', sandbox: '/ns' }];
  const ips = [{ address: '10.9.0.1/16', interface: 0 }, { address: '10.8.0.5/16', interface: 1 }, { address: '10.7.0.5/16', interface: 2 }, { address: 'fd00::5/64', interface: 2 }];
  plugin('one', () => JSON.stringify({ interfaces, ips }));
  conf('10.conflist', list(['one']));
  expect((await open().attach(attachment())).ips).toEqual(['10.7.0.5', 'fd00::5', '10.8.0.5']);
});

test('plugins inherit the environment, but not what is between systemd, Node and berthd', async () => {
  plugin('one');
  conf('10.conflist', list(['one']));
  await open({ PATH: '/opt/bin', http_proxy: 'p', NOTIFY_SOCKET: '/x', NODE_OPTIONS: 'y', LISTEN_FDS: '1', CNI_ARGS: 'z' }).attach(attachment());
  const env = runs.at(-1)?.env ?? {};
  expect(env).toMatchObject({ PATH: '/opt/bin', http_proxy: 'p', CNI_ARGS: 'IgnoreUnknown=1' });
  expect(Object.keys(env).filter((name) => /NOTIFY|NODE|LISTEN/.test(name))).toEqual([]);
});

test('a stored result of a version that berth does not speak is refused, not guessed', async () => {
  conf('10.conflist', list(['one']));
  const stored: CniResult = { network: 'test', cniVersion: '7.0.0', config: JSON.stringify(list(['one'])), ips: [], interfaceName: 'eth0', raw: '{}' };
  expect((await failure(open().detach(attachment(), stored))).message).toContain('7.0.0');
});
