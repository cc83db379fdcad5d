/** Clients that give up in the middle of a call, and calls that cross: what was begun is undone or done, it can be asked for again, and nothing is left. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { grpcStatus } from '../fixtures/cri.ts';
import { noHoldings } from '../fixtures/leaks.ts';
import { containerConfig } from '../fixtures/pods.ts';
import { CriSuite, waiting } from './suite.ts';

let suite: CriSuite;
beforeAll(async () => {
  suite = await CriSuite.start();
});
afterEach(async () => {
  await suite.node.removePods();
  expect(await suite.node.leaks()).toEqual(noHoldings);
});
afterAll(async () => suite.close());

/** From less than the call can take to more than most need. */
const patiencesMs = [1, 3, 6, 10, 15, 20, 30, 45];

/** Makes the call with each patience at once; returns those that came too late, and fails on any other end. */
async function hurried(call: (index: number) => readonly [string, object]): Promise<readonly number[]> {
  const ends = await Promise.all(patiencesMs.map(async (patienceMs, index) => suite.cri.call(...call(index), patienceMs).then(() => undefined, (error: { code: number }) => {
    expect(error.code).toBe(grpcStatus.DEADLINE_EXCEEDED);
    return index;
  })));
  return ends.filter((index) => index !== undefined);
}

test('CreateContainer', async () => {
  const pod = await suite.pod();
  const request = (index: number) => ({ pod_sandbox_id: pod.id, config: containerConfig(suite.busybox, waiting, { metadata: { name: `c${index}` } }), sandbox_config: pod.config });
  const late = await hurried((index) => ['CreateContainer', request(index)]);
  expect(late).toContain(0);
  // As the kubelet does: it asks for the same container again, or finds that it is there.
  for (const index of late) {
    await expect.poll(async () => suite.cri.call('CreateContainer', request(index)).catch((error: { code: number }) => error.code), { timeout: 10_000 }).toSatisfy((end) => typeof end === 'object' || end === grpcStatus.ALREADY_EXISTS);
  }
  expect(await suite.cri.listContainers()).toHaveLength(patiencesMs.length);
});

test('StartContainer', async () => {
  const pod = await suite.pod();
  const ids = await Promise.all(patiencesMs.map(async (_, index) => suite.create(pod, waiting, { metadata: { name: `c${index}` } })));
  const late = await hurried((index) => ['StartContainer', { container_id: ids[index] }]);
  expect(late).toContain(0);
  for (const [index, id] of ids.entries()) {
    // Comes after whatever still goes on, and starts one that the first call did not reach.
    await suite.cri.startContainer(id).catch((error: { code: number }) => expect(error.code).toBe(grpcStatus.FAILED_PRECONDITION));
    const { state, reason } = await suite.cri.containerStatus(id);
    // It runs, or it says that it could not start; none hangs in between.
    if (state === 'CONTAINER_EXITED') expect([late.includes(index), reason]).toEqual([true, 'StartError']);
    else expect(state).toBe('CONTAINER_RUNNING');
    await suite.cri.removeContainer(id);
  }
});

test('StartContainer, one at a time, so that the OCI runtime is at work when the client leaves', async () => {
  const pod = await suite.pod();
  const states = new Set<string>();
  for (const patienceMs of [8, 10, 12, 14, 16, 18, 20, 24, 28]) {
    const id = await suite.create(pod, waiting);
    await suite.cri.call('StartContainer', { container_id: id }, patienceMs).catch((error: { code: number }) => expect(error.code).toBe(grpcStatus.DEADLINE_EXCEEDED));
    await suite.cri.startContainer(id).catch((error: { code: number }) => expect(error.code).toBe(grpcStatus.FAILED_PRECONDITION));
    const { state } = await suite.cri.containerStatus(id);
    states.add(state);
    await suite.cri.removeContainer(id);
  }
  expect(states).toContain('CONTAINER_EXITED');
});

test.each(['StopContainer', 'RemoveContainer'])('%s', async (method) => {
  const pod = await suite.pod();
  const ids = await Promise.all(patiencesMs.map(async (_, index) => suite.run(pod, waiting, { metadata: { name: `c${index}` } })));
  await hurried((index) => [method, { container_id: ids[index], timeout: '10' }]);
  for (const id of ids) await suite.cri.removeContainer(id);
  expect(await suite.cri.listContainers()).toEqual([]);
});

test.each(['StopPodSandbox', 'RemovePodSandbox'])('%s', async (method) => {
  const pods = await Promise.all(patiencesMs.map(async (_, index) => suite.pod({ metadata: { name: `p${index}`, namespace: 'default', uid: `p${index}`, attempt: 0 } })));
  for (const pod of pods) await suite.run(pod, waiting);
  expect(await hurried((index) => [method, { pod_sandbox_id: pods[index]?.id }])).toContain(0);
  for (const { id } of pods) await suite.cri.removePod(id);
  expect(await suite.cri.listPods()).toEqual([]);
});

test('ExecSync', async () => {
  const pod = await suite.pod();
  const id = await suite.run(pod, waiting);
  expect(await hurried(() => ['ExecSync', { container_id: id, cmd: ['sleep', '4324'] }])).toHaveLength(patiencesMs.length);
  await expect.poll(async () => (await suite.cri.execSync(id, ['sh', '-c', 'ps -o args | grep -c "sleep [4]324"'])).stdout.toString(), { timeout: 10_000 }).toBe('0\n');
});

test('a pod that is stopped while its containers are made and started has none that runs', async () => {
  for (const delayMs of [0, 5, 15, 30]) {
    const pod = await suite.pod({ metadata: { name: 'crossed', namespace: 'default', uid: `crossed-${delayMs}`, attempt: 0 } });
    const starts = Promise.allSettled([0, 1, 2, 3, 4].map(async (index) => suite.run(pod, waiting, { metadata: { name: `c${index}` } })));
    await sleep(delayMs);
    await suite.cri.stopPod(pod.id);
    await starts;
    expect(await suite.cri.listContainers({ state: { state: 'CONTAINER_RUNNING' } }), `stopped after ${delayMs} ms`).toEqual([]);
    await suite.cri.removePod(pod.id);
    expect(await suite.cri.listContainers()).toEqual([]);
  }
});
