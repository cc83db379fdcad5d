import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { CriSuite, waiting } from '../cri/suite.ts';
import { cgroupProcesses } from '../fixtures/cgroups.ts';
import { noHoldings } from '../fixtures/leaks.ts';
import { shimOf } from './shim-of.ts';

/** What a call may take that asks no shim, on a busy machine. */
const promptMs = 1000;

let suite: CriSuite;
beforeAll(async () => {
  suite = await CriSuite.start();
});
afterEach(async () => {
  await suite.node.removePods();
});
afterAll(async () => suite?.close());

async function took(call: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await call();
  return performance.now() - startedMs;
}

const processesOf = (id: string): readonly number[] => cgroupProcesses(`${suite.node.scratch.cgroup}/${id}`);
const namespaces = (pid: 'CONTAINER' | 'POD'): { readonly security_context: object } => ({ security_context: { namespace_options: { network: 'POD', pid, ipc: 'POD' } } });

test.each(['CONTAINER', 'POD'] as const)('a killed shim ends its container with all its processes, and no other (PID namespace: %s)', async (mode) => {
  const over = { linux: namespaces(mode) };
  const pod = await suite.pod({ linux: { cgroup_parent: suite.node.scratch.cgroup, ...over.linux } });
  const id = await suite.run(pod, ['sh', '-c', 'sleep 1000 & sleep 1000'], { metadata: { name: 'lost' }, ...over });
  const other = await suite.run(pod, [...waiting], { metadata: { name: 'other' }, ...over });
  await expect.poll(() => processesOf(id).length).toBe(2);
  process.kill(shimOf(id), 'SIGKILL');
  const status = await suite.reaches(id, 'CONTAINER_EXITED');
  expect(status).toMatchObject({ exit_code: 255, reason: 'Unknown' });
  expect(processesOf(id)).toEqual([]);
  expect((await suite.cri.execSync(other, ['echo', 'well'])).stdout.toString()).toBe('well\n');
  expect((await suite.cri.containerStatus(other)).state).toBe('CONTAINER_RUNNING');
  await suite.cri.removePod(pod.id);
  expect(await suite.node.leaks()).toEqual(noHoldings);
});

test('a frozen shim slows no list and no statistics, which come from the kernel', async () => {
  const pod = await suite.pod();
  const frozen = await suite.run(pod, [...waiting], { metadata: { name: 'frozen' } });
  const other = await suite.run(pod, [...waiting], { metadata: { name: 'other' } });
  process.kill(shimOf(frozen), 'SIGSTOP');
  expect(await took(async () => expect(await suite.cri.listContainers()).toHaveLength(2))).toBeLessThan(promptMs);
  expect(await took(async () => expect(await suite.cri.listPods()).toHaveLength(1))).toBeLessThan(promptMs);
  expect(await took(async () => suite.cri.containerStatus(frozen))).toBeLessThan(promptMs);
  expect(await took(async () => suite.cri.containerStats(other))).toBeLessThan(promptMs);
  const list = async (): Promise<readonly string[]> =>
    (await suite.cri.call<{ stats: readonly { attributes: { id: string } }[] }>('ListContainerStats', { filter: null })).stats.map(({ attributes }) => attributes.id);
  expect(await took(async () => expect(await list()).toEqual([frozen, other]))).toBeLessThan(promptMs);
  process.kill(shimOf(frozen), 'SIGCONT');
});

test('a container whose shim is frozen can be stopped and removed, and leaves nothing', async () => {
  const pod = await suite.pod();
  const id = await suite.run(pod, [...waiting]);
  process.kill(shimOf(id), 'SIGSTOP');
  await suite.cri.removePod(pod.id);
  expect(await suite.cri.listContainers()).toEqual([]);
  expect(await suite.node.leaks()).toEqual(noHoldings);
});

test('over a restart a frozen shim makes its container unknown, holds up nobody for long, and gives it back when it thaws', async () => {
  const pod = await suite.pod();
  const frozen = await suite.run(pod, [...waiting], { metadata: { name: 'frozen' } });
  const other = await suite.run(pod, [...waiting], { metadata: { name: 'other' } });
  const shim = shimOf(frozen);
  process.kill(shim, 'SIGSTOP');
  await suite.node.kill();
  expect(await took(async () => suite.node.startAgain())).toBeLessThan(12_000);
  expect((await suite.cri.containerStatus(other)).state).toBe('CONTAINER_RUNNING');
  expect((await suite.cri.containerStatus(frozen)).state).toBe('CONTAINER_UNKNOWN');
  process.kill(shim, 'SIGCONT');
  await suite.reaches(frozen, 'CONTAINER_RUNNING', 30_000);
  expect((await suite.cri.execSync(frozen, ['echo', 'back'])).stdout.toString()).toBe('back\n');
});

test('a shim that is frozen while berthd is away can be removed by the next one', async () => {
  const pod = await suite.pod();
  process.kill(shimOf(await suite.run(pod, [...waiting])), 'SIGSTOP');
  await suite.node.kill();
  await sleep(100);
  await suite.node.startAgain();
  await suite.cri.removePod(pod.id);
  expect(await suite.node.leaks()).toEqual(noHoldings);
});
