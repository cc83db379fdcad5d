import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { grpcStatus } from '../fixtures/cri.ts';
import { noHoldings } from '../fixtures/leaks.ts';
import { containerConfig, podConfig } from '../fixtures/pods.ts';
import { readLog } from './log-file.ts';
import { CriSuite, waiting, type SuitePod } from './suite.ts';

/** Whether CRIU is installed and knows this kernel: 3.x does not know Linux since 6.13. */
const criu = spawnSync('criu', ['check'], { env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' } }).status === 0;

/** Counts in memory alone, and writes each number to the log and into a file. */
const counting = ['sh', '-c', 'i=0; while :; do i=$((i+1)); echo $i; echo $i > /number; sleep 0.05; done'];

let suite: CriSuite;
let directory: string;

beforeAll(async () => {
  suite = await CriSuite.start();
});

afterAll(async () => {
  await suite.close();
});

beforeEach(() => {
  directory = join(suite.node.scratch.dir, 'checkpoints');
  mkdirSync(directory);
});

afterEach(async () => {
  rmSync(directory, { recursive: true });
  await suite.node.removePods();
  expect(await suite.node.leaks()).toEqual(noHoldings);
});

const archive = (): string => join(directory, 'c.tar');
const checkpoint = (id: string, timeout = 0) => suite.cri.call('CheckpointContainer', { container_id: id, location: archive(), timeout: String(timeout) });
const checkpointPod = (pod: SuitePod, more: object = {}) => suite.cri.call('CheckpointPod', { pod_sandbox_id: pod.id, output_path: join(directory, 'pod'), ...more });
const restorePod = (config: object, containers: readonly object[], more: object = {}) =>
  suite.cri.call<{ pod_sandbox_id: string; restored_containers: readonly { name: string; container_id: string }[] }>('RestorePod', {
    checkpoint_path: join(directory, 'pod'), config, runtime_handler: 'runc', container_configs: containers, ...more,
  });

const numbers = async (id: string): Promise<readonly number[]> => readLog((await suite.cri.containerStatus(id)).log_path).map(({ content }) => Number(content));

async function grows(id: string): Promise<void> {
  const before = (await numbers(id)).length;
  const deadline = Date.now() + 5000;
  while ((await numbers(id)).length <= before) {
    if (Date.now() > deadline) throw new Error(`container ${id} stands still`);
    await sleep(20);
  }
}

describe('what is refused before anything is paused', () => {
  test('a container or pod that is unknown', async () => {
    await expect(checkpoint('feed')).rejects.toMatchObject({ code: grpcStatus.NOT_FOUND });
    await expect(checkpointPod({ id: 'feed', config: podConfig(suite.node.scratch) })).rejects.toMatchObject({ code: grpcStatus.NOT_FOUND });
  });

  test('a container that does not run, and a pod without any that does', async () => {
    const pod = await suite.pod({}, 'runc');
    await expect(checkpoint(await suite.create(pod, waiting))).rejects.toMatchObject({ code: grpcStatus.FAILED_PRECONDITION });
    await expect(checkpointPod(pod)).rejects.toMatchObject({ code: grpcStatus.FAILED_PRECONDITION });
  });

  test('a location that cannot be', async () => {
    const id = await suite.run(await suite.pod({}, 'runc'), waiting);
    for (const location of ['', 'relative', '/no/such/dir/c.tar', directory]) {
      await expect(suite.cri.call('CheckpointContainer', { container_id: id, location })).rejects.toMatchObject({ code: grpcStatus.INVALID_ARGUMENT });
    }
    await expect(checkpoint(id, -1)).rejects.toMatchObject({ code: grpcStatus.INVALID_ARGUMENT });
  });

  test('an OCI runtime that is built without CRIU, which the error names with one that is not', async () => {
    const pod = await suite.pod({}, 'crun');
    const id = await suite.run(pod, waiting);
    for (const call of [checkpoint(id), checkpointPod(pod)]) {
      await expect(call).rejects.toMatchObject({ code: grpcStatus.UNIMPLEMENTED, details: expect.stringContaining('run the pod with "runc"') });
    }
    expect(readdirSync(directory)).toEqual([]);
  });

  test('a pod checkpoint with an option, without a deadline, over another, or of a container of another pod', async () => {
    const pod = await suite.pod({}, 'runc');
    await suite.run(pod, waiting);
    const stranger = await suite.run(await suite.pod({ metadata: { name: 'other', namespace: 'default', uid: 'other', attempt: 0 } }, 'runc'), waiting);
    await expect(checkpointPod(pod, { options: { fast: 'yes' } })).rejects.toMatchObject({ code: grpcStatus.INVALID_ARGUMENT, details: expect.stringContaining('fast') });
    await expect(checkpointPod(pod, { container_ids: [stranger] })).rejects.toMatchObject({ code: grpcStatus.INVALID_ARGUMENT });
    await expect(suite.cri.call('CheckpointPod', { pod_sandbox_id: pod.id, output_path: join(directory, 'pod') }, Infinity)).rejects.toMatchObject({ code: grpcStatus.INVALID_ARGUMENT });
    mkdirSync(join(directory, 'pod'));
    writeFileSync(join(directory, 'pod/mine'), '');
    await expect(checkpointPod(pod)).rejects.toMatchObject({ code: grpcStatus.ALREADY_EXISTS });
    expect(readdirSync(join(directory, 'pod'))).toEqual(['mine']);
  });

  test('a restore from what is no checkpoint, with an option, or for other containers', async () => {
    const config = podConfig(suite.node.scratch, 'restored');
    await expect(restorePod(config, [])).rejects.toMatchObject({ code: grpcStatus.INVALID_ARGUMENT, details: expect.stringContaining('no checkpoint') });
    mkdirSync(join(directory, 'pod'));
    writeFileSync(join(directory, 'pod/pod.options'), JSON.stringify({ version: 1, containers: ['a', 'b'] }));
    const one = containerConfig(suite.busybox, waiting, { metadata: { name: 'a' } });
    await expect(restorePod(config, [one])).rejects.toMatchObject({ code: grpcStatus.INVALID_ARGUMENT, details: expect.stringContaining('a, b') });
    await expect(restorePod(config, [one, one], { options: { x: '1' } })).rejects.toMatchObject({ code: grpcStatus.INVALID_ARGUMENT });
    expect(await suite.cri.listPods()).toEqual([]);
  });

  test('a restore whose archives are missing leaves no pod', async () => {
    mkdirSync(join(directory, 'pod'));
    writeFileSync(join(directory, 'pod/pod.options'), JSON.stringify({ version: 1, containers: ['a'] }));
    const one = containerConfig(suite.busybox, waiting, { metadata: { name: 'a' } });
    await expect(restorePod(podConfig(suite.node.scratch, 'restored'), [one])).rejects.toMatchObject({ code: grpcStatus.NOT_FOUND });
    expect(await suite.cri.listPods()).toEqual([]);
  });
});

test.runIf(!criu)('where CRIU cannot, the error says what it says; the container runs on and nothing is written', async () => {
  const pod = await suite.pod({}, 'runc');
  const id = await suite.run(pod, counting);
  for (const call of [checkpoint(id), checkpointPod(pod)]) {
    await expect(call).rejects.toMatchObject({ code: grpcStatus.FAILED_PRECONDITION, details: expect.stringMatching(/runc checkpoint: .*criu check/is) });
  }
  expect(readdirSync(directory)).toEqual([]);
  await grows(id);
});

describe.runIf(criu)('where CRIU can', () => {
  test('an archive holds memory, files, log and description; the container runs on', async () => {
    const id = await suite.run(await suite.pod({}, 'runc'), counting);
    await grows(id);
    await checkpoint(id, 60);
    expect(statSync(archive()).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory)).toEqual(['c.tar']);
    await grows(id);
    const opened = join(directory, 'opened');
    mkdirSync(opened);
    execFileSync('tar', ['-xf', archive(), '-C', opened]);
    expect(readdirSync(opened).toSorted()).toEqual(['checkpoint', 'config.dump', 'container.log', 'rootfs-diff.tar', 'spec.dump']);
    expect(readdirSync(join(opened, 'checkpoint'))).toEqual(expect.arrayContaining(['inventory.img', 'pages-1.img', 'pstree.img']));
    const last = readLog(join(opened, 'container.log')).at(-1)?.content;
    expect(execFileSync('tar', ['-xOf', join(opened, 'rootfs-diff.tar'), 'number'], { encoding: 'utf8' }).trim()).toBe(last);
    expect(JSON.parse(readFileSync(join(opened, 'config.dump'), 'utf8'))).toMatchObject({ id, name: expect.any(String), runtime: 'runc', rootfsImageName: suite.busybox });
  });

  test('a deadline that passes leaves nothing, and the container runs on', async () => {
    const pod = await suite.pod({}, 'runc');
    const id = await suite.run(pod, counting);
    await expect(suite.cri.call('CheckpointContainer', { container_id: id, location: archive() }, 50)).rejects.toMatchObject({ code: grpcStatus.DEADLINE_EXCEEDED });
    await expect(suite.cri.call('CheckpointPod', { pod_sandbox_id: pod.id, output_path: join(directory, 'pod') }, 50)).rejects.toMatchObject({ code: grpcStatus.DEADLINE_EXCEEDED });
    // Both take the container's turn; this one comes last.
    await checkpoint(id);
    expect(readdirSync(directory)).toEqual(['c.tar']);
    await grows(id);
  });

  test('a pod is restored with another identity: memory, files and log go on; its origin runs on', async () => {
    const pod = await suite.pod({}, 'runc');
    const names = ['one', 'two'] as const;
    const origins = await Promise.all(names.map((name) => suite.run(pod, counting, { metadata: { name }, log_path: `${name}.log` })));
    await Promise.all(origins.map(grows));
    await checkpointPod(pod);
    expect(readdirSync(join(directory, 'pod')).toSorted()).toEqual(['one.tar', 'pod.dump', 'pod.options', 'two.tar']);
    await Promise.all(origins.map(grows));
    const configs = names.map((name) => containerConfig(suite.busybox, counting, { metadata: { name }, log_path: `${name}.log` }));
    const restored = await restorePod(podConfig(suite.node.scratch, 'restored'), configs);
    expect(restored.restored_containers.map(({ name }) => name).toSorted()).toEqual(['one', 'two']);
    const ids = restored.restored_containers.map(({ container_id }) => container_id);
    for (const id of ids) expect((await suite.cri.containerStatus(id)).state).toBe('CONTAINER_CREATED');
    for (const id of ids) {
      const saved = (await numbers(id)).length;
      expect(saved).toBeGreaterThan(0);
      await suite.cri.startContainer(id);
      await grows(id);
      const all = await numbers(id);
      expect(all).toEqual(all.map((_, index) => index + 1));
      const { stdout } = await suite.cri.execSync(id, ['cat', '/number']);
      expect(Number(stdout.toString())).toBeGreaterThanOrEqual(saved);
      await suite.cri.stopContainer(id, 0);
      expect((await suite.cri.containerStatus(id)).exit_code).toBe(137);
    }
    await Promise.all(origins.map(grows));
  });

  test('one container of several can be chosen, and an image that is another is refused without a trace', async () => {
    const pod = await suite.pod({}, 'runc');
    const id = await suite.run(pod, counting, { metadata: { name: 'one' } });
    await suite.run(pod, waiting, { metadata: { name: 'two' } });
    await checkpointPod(pod, { container_ids: [id] });
    expect(existsSync(join(directory, 'pod/two.tar'))).toBe(false);
    const other = await suite.pull('other', suite.images.busybox('other'));
    await expect(restorePod(podConfig(suite.node.scratch, 'restored'), [containerConfig(other, counting, { metadata: { name: 'one' } })])).rejects.toMatchObject({ code: grpcStatus.FAILED_PRECONDITION });
    expect((await suite.cri.listPods()).map(({ id: each }) => each)).toEqual([pod.id]);
    await suite.cri.removeImage(other);
  });
});
