import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { CriSuite, waiting } from '../cri/suite.ts';
import { noHoldings } from '../fixtures/leaks.ts';
import { podConfig } from '../fixtures/pods.ts';
import { filesOfPods } from './files-of-pods.ts';
import { cutPower } from './power-cut.ts';

let suite: CriSuite;
beforeAll(async () => {
  suite = await CriSuite.start();
});
afterEach(async () => {
  await suite.node.removePods();
});
afterAll(async () => suite?.close());

test('after a reboot containers have ended with the node, pods are not ready and hold nothing', async () => {
  const files = filesOfPods(suite.node);
  const pod = await suite.pod();
  const shared = await suite.pod({ linux: { cgroup_parent: suite.node.scratch.cgroup, security_context: { namespace_options: { network: 'POD', pid: 'POD', ipc: 'POD' } } } });
  const running = await suite.run(pod, [...waiting], { metadata: { name: 'running' } });
  const ended = await suite.finish(pod, ['sh', '-c', 'exit 5'], { metadata: { name: 'ended' } });
  const created = await suite.create(pod, ['true'], { metadata: { name: 'created' } });
  await cutPower(suite.node);
  await suite.node.startAgain();

  expect((await suite.cri.listPods()).map(({ id, state }) => ({ id, state })).toSorted((a, b) => a.id.localeCompare(b.id))).toEqual(
    [pod, shared].map(({ id }) => ({ id, state: 'SANDBOX_NOTREADY' })).toSorted((a, b) => a.id.localeCompare(b.id)),
  );
  const status = await suite.cri.containerStatus(running);
  expect(status).toMatchObject({ state: 'CONTAINER_EXITED', exit_code: 255, reason: 'NodeRebooted' });
  expect(BigInt(status.finished_at)).toBeGreaterThan(BigInt(status.started_at));
  expect(await suite.cri.containerStatus(ended.id)).toEqual(ended);
  await expect(suite.cri.startContainer(created)).rejects.toThrow(/not ready/);
  await expect(suite.cri.execSync(running, ['true'])).rejects.toThrow(/not running/);
  expect(await suite.node.leaks()).toEqual(noHoldings);

  await suite.node.removePods();
  expect(await suite.cri.listContainers()).toEqual([]);
  await suite.node.kill();
  await suite.node.startAgain();
  await expect.poll(() => filesOfPods(suite.node)).toEqual(files);
});

test('a name is free again after its pod was removed, and new pods live through a restart', async () => {
  const config = podConfig(suite.node.scratch, 'same');
  const before = await suite.cri.runPod(config);
  await cutPower(suite.node);
  await suite.node.startAgain();
  await suite.cri.removePod(before);
  const pod = { id: await suite.cri.runPod(config), config };
  const id = await suite.run(pod, [...waiting]);
  await suite.node.kill();
  await suite.node.startAgain();
  expect((await suite.cri.podStatus(pod.id)).state).toBe('SANDBOX_READY');
  expect((await suite.cri.containerStatus(id)).state).toBe('CONTAINER_RUNNING');
});

test('a crash in the first start after a reboot does not make it forget the reboot', async () => {
  const pod = await suite.pod();
  const id = await suite.run(pod, [...waiting]);
  await cutPower(suite.node);
  const answers = suite.node.startAgain().catch(() => undefined);
  // Long enough for the state to be open, too short to be ready.
  await expect.poll(() => suite.node.log().split('\n').at(-2) ?? '', { interval: 1 }).toMatch(/berth-agent started|network config loaded|recovered|pod did not survive/);
  await suite.node.kill();
  await answers;
  await suite.node.startAgain();
  expect((await suite.cri.podStatus(pod.id)).state).toBe('SANDBOX_NOTREADY');
  expect(await suite.cri.containerStatus(id)).toMatchObject({ state: 'CONTAINER_EXITED', exit_code: 255, reason: 'NodeRebooted' });
});
