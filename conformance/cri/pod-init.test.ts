/** A pod whose containers share their processes has a first process, which berth-pause is. Whoever kills it ends them all. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { noHoldings } from '../fixtures/leaks.ts';
import { CriSuite, waiting, type SuitePod } from './suite.ts';

let suite: CriSuite;
beforeAll(async () => {
  suite = await CriSuite.start();
});
afterEach(async () => {
  await suite.node.removePods();
});
afterAll(async () => suite.close());

const sharing = { security_context: { namespace_options: { network: 'POD', pid: 'POD', ipc: 'POD' } } } as const;
const sharingPod = async (): Promise<SuitePod> => suite.pod({ linux: { cgroup_parent: suite.node.scratch.cgroup, ...sharing } });

async function killInit(pod: SuitePod): Promise<void> {
  const { info } = await suite.cri.call<{ info: Record<string, string> }>('PodSandboxStatus', { pod_sandbox_id: pod.id, verbose: true });
  process.kill((JSON.parse(info['info'] ?? '') as { pid: number }).pid, 'SIGKILL');
}

test.each(['with a container that runs', 'without any'])('%s it is not ready any more, and can be replaced', async (what) => {
  const pod = await sharingPod();
  const id = what === 'without any' ? await suite.create(pod, [...waiting], { linux: sharing }) : await suite.run(pod, [...waiting], { linux: sharing });
  await killInit(pod);
  await expect.poll(async () => (await suite.cri.podStatus(pod.id)).state, { timeout: 10_000 }).toBe('SANDBOX_NOTREADY');
  expect((await suite.cri.listPods()).map(({ state }) => state)).toEqual(['SANDBOX_NOTREADY']);
  if (what !== 'without any') expect(await suite.reaches(id, 'CONTAINER_EXITED')).toMatchObject({ exit_code: 137, reason: 'Error' });
  await expect(suite.run(pod, [...waiting], { metadata: { name: 'late' }, linux: sharing })).rejects.toThrow();
  await suite.cri.stopPod(pod.id);
  await suite.cri.removePod(pod.id);
  expect(await suite.node.leaks()).toEqual(noHoldings);
});
