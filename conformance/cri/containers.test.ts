import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { grpcStatus, type Message } from '../fixtures/cri.ts';
import type { ContainerConfig } from '../fixtures/cri-types.ts';
import { CriSuite, waiting, type SuitePod } from './suite.ts';

let suite: CriSuite;
let pod: SuitePod;
beforeAll(async () => {
  suite = await CriSuite.start();
  pod = await suite.pod();
});
afterEach(async () => {
  for (const { id } of await suite.cri.listContainers()) await suite.cri.removeContainer(id);
});
afterAll(async () => {
  await suite.close();
});

const unknown = '5a8b3c5e-0c1e-4a52-9d3b-6f6d2c9f1a77';

test('created, running, exited: state, times and code at each step', async () => {
  const id = await suite.create(pod, ['sh', '-c', 'sleep 0.3; exit 3'], { metadata: { name: 'main' }, labels: { l: '1' }, annotations: { a: '2' } });
  const created = await suite.cri.containerStatus(id);
  expect(created).toMatchObject({ id, state: 'CONTAINER_CREATED', started_at: '0', finished_at: '0', exit_code: 0, reason: '', labels: { l: '1' }, annotations: { a: '2' }, metadata: { name: 'main', attempt: 0 } });
  await suite.cri.startContainer(id);
  const running = await suite.cri.containerStatus(id);
  expect(running).toMatchObject({ state: 'CONTAINER_RUNNING', finished_at: '0' });
  expect(BigInt(running.started_at)).toBeGreaterThan(BigInt(created.created_at));
  const exited = await suite.reaches(id, 'CONTAINER_EXITED');
  expect(exited).toMatchObject({ exit_code: 3, reason: 'Error', started_at: running.started_at });
  expect(BigInt(exited.finished_at)).toBeGreaterThan(BigInt(running.started_at));
});

test('exit code 0 is Completed, a signal is 128 + its number', async () => {
  expect(await suite.finish(pod, ['true'])).toMatchObject({ exit_code: 0, reason: 'Completed' });
  // On the host's pids: the kernel spares pid 1 of a namespace from its own signals.
  const linux = { security_context: { namespace_options: { pid: 'NODE' } } };
  expect(await suite.finish(pod, ['sh', '-c', 'kill -9 $$'], { metadata: { name: 'b' }, linux })).toMatchObject({ exit_code: 137, reason: 'Error' });
});

test('image, image_ref and image_id are told apart, and the id is the same everywhere', async () => {
  const image = await suite.cri.imageStatus(suite.busybox);
  const id = await suite.create(pod, ['true'], { image: { image: suite.busybox, user_specified_image: 'busybox:1' } });
  const status = await suite.cri.containerStatus(id);
  expect(status).toMatchObject({ image: { image: 'busybox:1' }, image_id: image?.id, image_ref: image?.repo_digests[0] });
  expect(await suite.cri.listContainers()).toMatchObject([{ image: { image: suite.busybox }, image_id: image?.id }]);
});

test('an image may be named by its id, and its own command runs when none is given', async () => {
  const image = await suite.cri.imageStatus(suite.busybox);
  const id = await suite.run(pod, [], { image: { image: image?.id ?? '' }, stdin: true });
  expect((await suite.cri.containerStatus(id)).state).toBe('CONTAINER_RUNNING');
});

test.each<[string, object, number]>([
  ['an unknown pod', { pod_sandbox_id: unknown }, grpcStatus.NOT_FOUND],
  ['an image that was not pulled', { config: { metadata: { name: 'x' }, image: { image: 'registry.invalid/none:1' } } }, grpcStatus.NOT_FOUND],
  ['no image', { config: { metadata: { name: 'x' } } }, grpcStatus.INVALID_ARGUMENT],
  ['no metadata', { config: { image: { image: 'x' } } }, grpcStatus.INVALID_ARGUMENT],
  ['no config', { config: null }, grpcStatus.INVALID_ARGUMENT],
])('CreateContainer with %s fails', async (_what, over, code) => {
  const config = { metadata: { name: 'x' }, image: { image: suite.busybox }, command: ['true'] };
  await expect(suite.cri.call('CreateContainer', { pod_sandbox_id: pod.id, config, sandbox_config: pod.config, ...over })).rejects.toMatchObject({ code });
  expect(await suite.cri.listContainers()).toEqual([]);
});

test('an unknown stop signal is refused', async () => {
  const config = { metadata: { name: 'x' }, image: { image: suite.busybox }, stop_signal: 99 };
  await expect(suite.cri.call('CreateContainer', { pod_sandbox_id: pod.id, config })).rejects.toMatchObject({ code: grpcStatus.INVALID_ARGUMENT });
});

test('a container needs neither a linux part nor the pod config', async () => {
  const config = { metadata: { name: 'bare' }, image: { image: suite.busybox }, command: ['true'] };
  const { container_id: id } = await suite.cri.call<{ container_id: string }>('CreateContainer', { pod_sandbox_id: pod.id, config });
  await suite.cri.startContainer(id);
  await suite.reaches(id, 'CONTAINER_EXITED');
});

test('a name in use is refused until its container is gone', async () => {
  const named = { metadata: { name: 'main' } };
  const id = await suite.create(pod, ['true'], named);
  await expect(suite.create(pod, ['true'], { ...named, labels: { other: '1' } })).rejects.toThrow(/main/);
  await suite.cri.removeContainer(id);
  await suite.create(pod, ['true'], named);
});

test('no container is created in a pod that was stopped', async () => {
  const stopped = await suite.pod({ metadata: { name: 'stopped', namespace: 'default', uid: 'stopped', attempt: 0 } });
  await suite.cri.stopPod(stopped.id);
  await expect(suite.create(stopped, ['true'])).rejects.toMatchObject({ code: grpcStatus.FAILED_PRECONDITION });
  await suite.cri.removePod(stopped.id);
});

test('a command that does not exist fails at the start, and the status says why', async () => {
  const id = await suite.create(pod, ['/no/such/program']);
  await expect(suite.cri.startContainer(id)).rejects.toMatchObject({ details: expect.stringMatching(/no such file|not found/i) });
  expect(await suite.cri.containerStatus(id)).toMatchObject({ state: 'CONTAINER_EXITED', exit_code: 128, reason: 'StartError', message: expect.stringMatching(/no such file|not found/i) });
});

test('what has ended is not started again', async () => {
  const { id } = await suite.finish(pod, ['true']);
  await expect(suite.cri.startContainer(id)).rejects.toMatchObject({ code: grpcStatus.FAILED_PRECONDITION });
});

test('a second start fails and the container runs on', async () => {
  const id = await suite.run(pod, [...waiting]);
  await expect(suite.cri.startContainer(id)).rejects.toMatchObject({ code: grpcStatus.FAILED_PRECONDITION });
  expect((await suite.cri.containerStatus(id)).state).toBe('CONTAINER_RUNNING');
});

test('an unknown container can be stopped and removed, but has no status and cannot be started', async () => {
  await suite.cri.stopContainer(unknown, 0);
  await suite.cri.removeContainer(unknown);
  await expect(suite.cri.containerStatus(unknown)).rejects.toMatchObject({ code: grpcStatus.NOT_FOUND });
  await expect(suite.cri.startContainer(unknown)).rejects.toMatchObject({ code: grpcStatus.NOT_FOUND });
});

test('filters must all match', async () => {
  const a = await suite.run(pod, [...waiting], { metadata: { name: 'a' }, labels: { tier: 'x' } });
  const b = await suite.create(pod, ['true'], { metadata: { name: 'b' }, labels: { tier: 'x', only: 'b' } });
  const ids = async (filter: object | null) => (await suite.cri.listContainers(filter)).map(({ id }) => id).toSorted();
  expect(await ids(null)).toEqual([a, b].toSorted());
  expect(await ids({ state: { state: 'CONTAINER_CREATED' } })).toEqual([b]);
  expect(await ids({ state: { state: 'CONTAINER_RUNNING' } })).toEqual([a]);
  expect(await ids({ label_selector: { tier: 'x', only: 'b' } })).toEqual([b]);
  expect(await ids({ pod_sandbox_id: pod.id, label_selector: { tier: 'x' } })).toEqual([a, b].toSorted());
  expect(await ids({ pod_sandbox_id: 'f'.repeat(64) })).toEqual([]);
  expect(await ids({ id: a.slice(0, 12) })).toEqual([a]);
  expect(await ids({ id: a, state: { state: 'CONTAINER_EXITED' } })).toEqual([]);
});

test('StreamContainers sends each container once', async () => {
  const made = [await suite.create(pod, ['true'], { metadata: { name: 'a' } }), await suite.create(pod, ['true'], { metadata: { name: 'b' } })];
  const ids: string[] = [];
  for await (const message of suite.cri.stream<Message>('StreamContainers')) ids.push(...(message['containers'] as readonly { id: string }[]).map(({ id }) => id));
  expect(ids.toSorted()).toEqual(made.toSorted());
});

test('command, args, environment and working directory follow the image unless told', async () => {
  const image = await suite.pull('entry', suite.images.busybox('entry', { Entrypoint: ['echo', 'entry'], Cmd: ['cmd'], Env: ['PATH=/bin', 'A=image', 'B=image'], WorkingDir: '/usr/local' }));
  const output = async (name: string, over: { command?: readonly string[]; args?: readonly string[]; working_dir?: string }) => {
    const { log_path: path } = await suite.finish(pod, over.command ?? [], { image: { image }, metadata: { name }, envs: [{ key: 'A', value: Buffer.from('request') }], ...over });
    return readFileSync(path, 'utf8').split('\n').slice(0, -1).map((line) => line.split(' ').slice(3).join(' '));
  };
  expect(await output('image', {})).toEqual(['entry cmd']);
  expect(await output('args', { args: ['x'] })).toEqual(['entry x']);
  expect(await output('command', { command: ['sh', '-c', 'echo $A $B; pwd'] })).toEqual(['request image', '/usr/local']);
  expect(await output('both', { command: ['echo'], args: ['y'], working_dir: '/tmp' })).toEqual(['y']);
});

test('an image with no command at all is refused at CreateContainer', async () => {
  const image = await suite.pull('nothing', suite.images.busybox('nothing', { Cmd: [] }));
  await expect(suite.create(pod, [], { image: { image } })).rejects.toThrow(/command/);
});

test('a verbose status has pid, pod and OCI spec as JSON', async () => {
  const id = await suite.create(pod, [...waiting]);
  const verbose = async (): Promise<{ pid: number }> => {
    const { info } = await suite.cri.call<{ info: Record<string, string> }>('ContainerStatus', { container_id: id, verbose: true });
    return JSON.parse(info['info'] ?? '') as { pid: number };
  };
  const lasting = { sandboxID: pod.id, runtimeSpec: { process: { args: waiting } } };
  expect(await verbose()).toMatchObject({ ...lasting, pid: 0 });
  await suite.cri.startContainer(id);
  const running = await verbose();
  expect(running).toMatchObject(lasting);
  expect(readFileSync(`/proc/${running.pid}/cmdline`, 'utf8')).toContain('trap');
  await suite.cri.stopContainer(id, 0);
  // Its pid may be another program's by now.
  expect(await verbose()).toMatchObject({ ...lasting, pid: 0 });
});

test('a container can be made again from its verbose status', async () => {
  const first = await suite.run(pod, [...waiting], { labels: { app: 'twice' }, working_dir: '/tmp', linux: { resources: { cpu_shares: '300' }, security_context: { run_as_user: { value: '33' } } } });
  const { info } = await suite.cri.call<{ info: Record<string, string> }>('ContainerStatus', { container_id: first, verbose: true });
  const { config } = JSON.parse(info['info'] ?? '') as { config: ContainerConfig };
  const before = await suite.cri.containerStatus(first);
  await suite.cri.removeContainer(first);
  const second = await suite.cri.createContainer(pod.id, config, pod.config);
  await suite.cri.startContainer(second);
  const made = { id: expect.any(String), created_at: expect.any(String), started_at: expect.any(String) };
  expect(await suite.cri.containerStatus(second)).toEqual({ ...before, ...made });
});

test('a status outlives its image', async () => {
  const reference = await suite.pull('short-lived', suite.images.busybox('short-lived'));
  const id = await suite.run(pod, [...waiting], { image: { image: reference } });
  const before = await suite.cri.containerStatus(id);
  await suite.cri.removeImage(reference);
  expect(await suite.cri.containerStatus(id)).toEqual(before);
  expect((await suite.cri.execSync(id, ['cat', '/etc/image-short-lived'])).stdout.toString()).toBe('short-lived\n');
});

test('twenty containers at once start and leave nothing', async () => {
  const before = await suite.node.leaks(0);
  const crowd = await suite.pod({ metadata: { name: 'crowd', namespace: 'default', uid: 'crowd', attempt: 0 } });
  const ids = await Promise.all(Array.from({ length: 20 }, async (_, index) => suite.run(crowd, [...waiting], { metadata: { name: `c${index}` } })));
  const states = await Promise.all(ids.map(async (id) => (await suite.cri.containerStatus(id)).state));
  expect(new Set(states)).toEqual(new Set(['CONTAINER_RUNNING']));
  await suite.cri.stopPod(crowd.id);
  await suite.cri.removePod(crowd.id);
  await expect.poll(async () => suite.node.leaks(0), { timeout: 3000 }).toEqual(before);
});
