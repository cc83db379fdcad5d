/** Fields that no rule of their own brought into another file: each is sent, and what it means is seen. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CriSuite, type SuitePod, waiting } from './suite.ts';

let suite: CriSuite;
let pod: SuitePod;
let id: string;

beforeAll(async () => {
  suite = await CriSuite.start();
  pod = await suite.pod({ metadata: { name: 'fields', namespace: 'default', uid: 'fields', attempt: 3 } });
  id = await suite.run(pod, [...waiting], { metadata: { name: 'fields', attempt: 2 } });
});

afterAll(async () => {
  await suite.close();
});

async function streamed(method: string, request: object): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const messages = [];
  for await (const message of suite.cri.stream(method, request)) messages.push(message);
  return messages;
}

test('the attempt of a container is in its status and in the list', async () => {
  expect((await suite.cri.containerStatus(id)).metadata).toMatchObject({ name: 'fields', attempt: 2 });
  expect((await suite.cri.listContainers({ id }))[0]?.metadata).toMatchObject({ attempt: 2 });
});

test.each([
  ['StreamPodSandboxes', () => ({ id: pod.id })],
  ['StreamContainers', () => ({ id })],
  ['StreamContainerStats', () => ({ id })],
  ['StreamPodSandboxStats', () => ({ id: pod.id })],
  ['StreamImages', () => ({ image: { image: suite.busybox } })],
])('%s heeds its filter', async (method, filter) => {
  expect(await streamed(method, { filter: filter() })).toHaveLength(1);
  const other = method === 'StreamImages' ? { image: { image: `${suite.registry.host}/other:1` } } : { id: 'feed' };
  expect(await streamed(method, { filter: other })).toEqual([]);
});

test('memory nodes of a container are the cgroup\'s', async () => {
  const bound = await suite.run(pod, [...waiting], { linux: { resources: { cpuset_cpus: '0', cpuset_mems: '0' } } });
  expect((await suite.cri.containerStatus(bound)).resources?.linux).toMatchObject({ cpuset_cpus: '0', cpuset_mems: '0' });
});

test('a pull may say for which pod it is', async () => {
  const { image_ref: ref } = await suite.cri.call<{ image_ref: string }>('PullImage', { image: { image: suite.busybox }, sandbox_config: pod.config });
  expect(ref).toMatch(/^sha256:/);
});
