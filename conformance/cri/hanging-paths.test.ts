/** Paths of a request on a file system that does not answer: each costs its own call only. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { grpcStatus } from '../fixtures/cri.ts';
import type { ContainerConfig } from '../fixtures/cri-types.ts';
import { HungMount } from '../fixtures/hung-mount.ts';
import { noHoldings } from '../fixtures/leaks.ts';
import { containerConfig } from '../fixtures/pods.ts';
import { CriSuite, waiting, type SuitePod } from './suite.ts';

let suite: CriSuite;
let hung: HungMount;
beforeAll(async () => {
  suite = await CriSuite.start({ limits: { drain_timeout: '2s' } });
  hung = await HungMount.below(suite.node);
}, 120_000);
afterEach(async () => {
  await suite.node.removePods();
}, 120_000);
afterAll(async () => {
  await hung?.close();
  await suite?.close();
}, 120_000);

const late = { code: grpcStatus.DEADLINE_EXCEEDED };
const at = (name: string): string => join(hung.path, name);
const mounting = (...paths: readonly string[]): Partial<ContainerConfig> => ({ mounts: paths.map((host_path, index) => ({ host_path, container_path: `/mnt/${index}` })) });

let asked = 0;
function creation(pod: SuitePod, over: Partial<ContainerConfig>, timeoutMs: number): Promise<unknown> {
  asked += 1;
  const config = containerConfig(suite.busybox, waiting, { metadata: { name: `hung-${asked}` }, ...over });
  return suite.cri.call('CreateContainer', { pod_sandbox_id: pod.id, config, sandbox_config: pod.config }, timeoutMs);
}

/** A pod's whole life, and all that is asked for about it. */
async function othersLive(): Promise<void> {
  const pod = await suite.pod({ metadata: { name: 'other', namespace: 'default', uid: `other-${asked}`, attempt: 0 } });
  const shared = join(suite.node.scratch.dir, 'shared');
  mkdirSync(shared, { recursive: true });
  const id = await suite.run(pod, waiting, mounting(shared, '/etc/hostname'));
  expect(await suite.cri.containerStatus(id)).toMatchObject({ state: 'CONTAINER_RUNNING' });
  expect((await suite.cri.listContainers({})).map((container) => container.id)).toContain(id);
  await suite.cri.containerStats(id);
  await suite.cri.stopPod(pod.id);
  await suite.cri.removePod(pod.id);
}

const pathsThatHang = (): readonly string[] => suite.node.log().split('\n').filter((line) => line.includes('nothing answered') && line.includes(hung.path));

test('creates with a host path that does not answer end at their deadline, name it, and hold up nobody; their pod goes', async () => {
  const pod = await suite.pod();
  const shared = join(suite.node.scratch.dir, 'shared');
  const creations = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => expect(creation(pod, mounting(shared, at(name)), 15_000)).rejects.toMatchObject(late));
  await othersLive();
  await Promise.all(creations);
  await expect.poll(() => ['a', 'b', 'c', 'd', 'e', 'f'].filter((name) => !pathsThatHang().some((line) => line.includes(at(name))))).toEqual([]);
  const id = await suite.run(pod, waiting, mounting(shared));
  await suite.cri.stopContainer(id, 0);
  await suite.cri.stopPod(pod.id);
  await suite.cri.removePod(pod.id);
  expect(await suite.node.leaks(5000)).toEqual(noHoldings);
}, 120_000);

test.each([
  ['a device', (path: string) => ({ devices: [{ host_path: path, container_path: '/dev/hung', permissions: 'r' }] })],
  ['a device of a directory above', (path: string) => ({ devices: [{ host_path: join(path, '../..'), container_path: '/dev/hung', permissions: 'r' }] })],
  ['the mount itself', (path: string) => mounting(join(path, '..'))],
  ['a seccomp profile', (path: string) => ({ linux: { security_context: { seccomp: { profile_type: 'Localhost', localhost_ref: path } } } })],
])('%s that does not answer costs its own create alone', async (_name, over) => {
  const pod = await suite.pod();
  const create = expect(creation(pod, over(at('file')) as Partial<ContainerConfig>, 8000)).rejects.toMatchObject(late);
  await othersLive();
  await create;
}, 120_000);

test('a log directory that does not answer costs its own start alone, and its pod goes', async () => {
  const pod = await suite.pod({ log_directory: at('logs') });
  const ids = [await suite.create(pod, waiting), await suite.create(pod, waiting, { log_path: 'deep/0.log' })];
  const inside = await suite.pod({ metadata: { name: 'inside', namespace: 'default', uid: 'inside', attempt: 0 }, log_directory: suite.node.scratch.dir });
  ids.push(await suite.create(inside, waiting, { log_path: 'hung/deep/0.log' }));
  const starts = ids.map((id) => expect(suite.cri.call('StartContainer', { container_id: id }, 8000)).rejects.toMatchObject(late));
  await othersLive();
  await Promise.all(starts);
  for (const { id } of [pod, inside]) {
    await suite.cri.stopPod(id);
    await suite.cri.removePod(id);
  }
  expect(await suite.node.leaks(5000)).toEqual(noHoldings);
}, 120_000);

test('a checkpoint to or from where nothing answers costs its own call alone', async () => {
  const pod = await suite.pod();
  const id = await suite.run(pod, waiting);
  const calls = [
    suite.cri.call('CheckpointContainer', { container_id: id, location: at('checkpoint.tar'), timeout: '0' }, 8000),
    suite.cri.call('CheckpointPod', { pod_sandbox_id: pod.id, output_path: at('checkpoint') }, 8000),
    suite.cri.call('RestorePod', { checkpoint_path: at('checkpoint'), config: pod.config, container_configs: [] }, 8000),
  ].map((call) => expect(call).rejects.toMatchObject(late));
  await othersLive();
  await Promise.all(calls);
}, 120_000);

test('berthd stops and starts while paths do not answer, and they are told once their server is gone', async () => {
  const pod = await suite.pod();
  const cut = ['a', 'b'].map((name) => creation(pod, mounting(at(name)), 60_000).then(() => 'made', () => 'cut'));
  await othersLive();
  expect(await suite.node.stop()).toBe(true);
  expect(await Promise.all(cut)).toEqual(['cut', 'cut']);
  await suite.node.startAgain();
  const again = creation(pod, mounting(at('a')), 60_000);
  const told = expect(again).rejects.toMatchObject({ code: grpcStatus.INVALID_ARGUMENT, details: expect.stringContaining(at('a')) as unknown });
  await othersLive();
  await hung.close();
  await told;
}, 120_000);
