import { lstatSync, readFileSync, renameSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { grpcStatus } from '../fixtures/cri.ts';
import type { RuntimeStatus } from '../fixtures/cri-types.ts';
import { CriSuite } from './suite.ts';

let suite: CriSuite;
beforeAll(async () => {
  suite = await CriSuite.start();
});
afterAll(async () => suite.close());

test('Version fills every field', async () => {
  expect(await suite.cri.version()).toEqual({ version: '0.1.0', runtime_name: 'berth', runtime_version: expect.stringMatching(/^\d+\.\d+\.\d+/), runtime_api_version: 'v1' });
});

test('Status says that runtime and network are ready', async () => {
  const { status } = await suite.cri.status();
  expect(status.conditions.map(({ type, status: met }) => [type, met])).toEqual([['RuntimeReady', true], ['NetworkReady', true]]);
});

test('Status says why there is no network', async () => {
  const { cniConfDir } = suite.node.scratch;
  const network = async () => (await suite.cri.status()).status.conditions.find(({ type }) => type === 'NetworkReady');
  renameSync(cniConfDir, `${cniConfDir}-away`);
  try {
    await expect.poll(network).toMatchObject({ status: false, reason: 'NetworkPluginNotReady', message: expect.stringContaining(cniConfDir) as unknown });
  } finally {
    renameSync(`${cniConfDir}-away`, cniConfDir);
  }
  await expect.poll(network, { timeout: 10_000 }).toMatchObject({ status: true, reason: '' });
});

test('Status says when nothing can be started, since the agent hangs, and when it can again', async () => {
  const ready = async () => (await suite.cri.status()).status.conditions.find(({ type }) => type === 'RuntimeReady');
  const agent = suite.node.pids.find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('berth-agent'));
  if (agent === undefined) throw new Error('berthd has no agent');
  process.kill(agent, 'SIGSTOP');
  try {
    await expect.poll(ready, { timeout: 30_000, interval: 200 }).toMatchObject({ status: false, message: expect.stringContaining('berth-agent') });
  } finally {
    process.kill(agent, 'SIGCONT');
  }
  await expect.poll(ready, { timeout: 30_000, interval: 200 }).toMatchObject({ status: true });
});

test('Status lists every handler, and the default one under the empty name as well', async () => {
  const { runtime_handlers: handlers } = await suite.cri.status();
  expect(handlers.map(({ name }) => name).toSorted()).toEqual(['', 'crun', 'runc']);
  expect(handlers.find(({ name }) => name === '')?.features).toEqual(handlers.find(({ name }) => name === 'crun')?.features);
});

test('Status tells of groups policy and mount options, and of host network in user namespaces where a handler makes these', async () => {
  const { features, runtime_handlers: handlers } = await suite.cri.call<RuntimeStatus & { features: object }>('Status');
  const userNamespaces = handlers.some((handler) => handler.features?.user_namespaces === true);
  expect(features).toMatchObject({ supplemental_groups_policy: true, user_namespaces_host_network: userNamespaces, mount_options: true });
});

test('verbose Status has a config with the directory that container filesystems are below', async () => {
  const { info } = await suite.cri.status(true);
  const config = JSON.parse(info['config'] ?? '{}') as { stateDir: string };
  expect(statSync(config.stateDir).isDirectory()).toBe(true);
  expect((await suite.cri.status(false)).info).toEqual({});
});

test('RuntimeConfig names the cgroup driver in words, since its zero would mean systemd', async () => {
  expect(await suite.cri.call('RuntimeConfig')).toEqual({ linux: { cgroup_driver: 'CGROUPFS' } });
});

test('UpdateRuntimeConfig is taken', async () => {
  expect(await suite.cri.call('UpdateRuntimeConfig', { runtime_config: { network_config: { pod_cidr: '10.0.0.0/24' } } })).toEqual({});
});

test('the socket is for root and its group', () => {
  expect(lstatSync(suite.node.socket).mode & 0o777).toBe(0o660);
});

test('a connection that talks no HTTP/2 hurts nobody', async () => {
  await new Promise<void>((resolve) => {
    const socket = connect(suite.node.socket, () => {
      socket.end('GET / HTTP/1.1\r\n\r\n');
    });
    socket.on('close', () => {
      resolve();
    });
    socket.on('error', () => undefined);
    socket.resume();
  });
  expect((await suite.cri.version()).runtime_name).toBe('berth');
});

test('a request larger than 16 MiB is refused and the connection lives on', async () => {
  const annotations = { big: 'x'.repeat(17 << 20) };
  await expect(suite.cri.call('RunPodSandbox', { config: { annotations } })).rejects.toMatchObject({ code: grpcStatus.RESOURCE_EXHAUSTED });
  expect((await suite.cri.version()).runtime_name).toBe('berth');
});
