/** What a container's process is given: environment, directory, input; and what its children may do to it. */
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { grpcStatus } from '../fixtures/cri.ts';
import type { ContainerConfig } from '../fixtures/cri-types.ts';
import { readLog, textOf } from './log-file.ts';
import { CriSuite, waiting, type SuitePod } from './suite.ts';

let suite: CriSuite;
let pod: SuitePod;
beforeAll(async () => {
  suite = await CriSuite.start();
  pod = await suite.pod({ hostname: 'of-the-pod' });
});
afterEach(async () => {
  for (const { id } of await suite.cri.listContainers()) await suite.cri.removeContainer(id);
});
afterAll(async () => suite.close());

async function say(command: string, over: Partial<ContainerConfig> = {}): Promise<string> {
  const { log_path: path } = await suite.finish(pod, ['/bin/sh', '-c', command], over);
  return textOf(readLog(path));
}

const bytes = (...values: readonly (number | string)[]): Buffer => Buffer.concat(values.map((value) => (typeof value === 'string' ? Buffer.from(value) : Buffer.from([value]))));

test('HOSTNAME goes before the image’s and after the request’s; a path is there without any', async () => {
  const image = await suite.pull('named', suite.images.busybox('named', { Env: ['HOSTNAME=of-the-image'] }));
  expect(await say('echo $HOSTNAME; echo $PATH', { image: { image } })).toBe('of-the-pod\n/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n');
  const envs = [{ key: 'HOSTNAME', value: Buffer.from('first') }, { key: 'HOSTNAME', value: Buffer.from('of-the-request') }];
  expect(await say('echo $HOSTNAME', { image: { image }, envs })).toBe('of-the-request\n');
});

test('a value is what was sent, byte for byte, or refused by its name', async () => {
  const value = bytes('\uFEFFä = "x"\n', 9, '$HOME\\');
  expect(await say('printf %s "$RAW" | od -An -tx1 | tr -d " \\n"', { envs: [{ key: 'RAW', value }] })).toBe(value.toString('hex'));
  await expect(suite.create(pod, ['true'], { envs: [{ key: 'BROKEN', value: bytes('a', 0xff) }] })).rejects.toMatchObject({ code: grpcStatus.INVALID_ARGUMENT, details: expect.stringContaining('BROKEN') });
});

test('a working directory that the image lacks is made', async () => {
  expect(await say('pwd; stat -c %u:%a .', { working_dir: '/not/in/the/image' })).toBe('/not/in/the/image\n0:755\n');
});

test('without stdin a process reads the end at once, with it never', async () => {
  expect(await say('cat; echo over')).toBe('over\n');
  const id = await suite.run(pod, ['sh', '-c', 'cat; echo over'], { stdin: true });
  await suite.cri.execSync(id, ['sleep', '0.5']);
  expect((await suite.cri.containerStatus(id)).state).toBe('CONTAINER_RUNNING');
});

test('annotations are the client’s own and reach no OCI runtime', async () => {
  const id = await suite.run(pod, [...waiting], { annotations: { 'run.oci.handler': 'wasm', 'io.kubernetes.cri.x': 'y' } });
  const { info } = await suite.cri.call<{ info: Record<string, string> }>('ContainerStatus', { container_id: id, verbose: true });
  expect((JSON.parse(info['info'] ?? '') as { runtimeSpec: { annotations?: object } }).runtimeSpec.annotations ?? {}).toEqual({});
});

const hungry = 'dd if=/dev/zero of=/dev/null bs=40M 2>/dev/null';
const limited = { linux: { resources: { memory_limit_in_bytes: String(20 << 20), memory_swap_limit_in_bytes: String(20 << 20) }, security_context: { namespace_options: { pid: 'CONTAINER' } } } };

test('a child that is killed for memory leaves the container to end as it will', async () => {
  expect(await suite.finish(pod, ['sh', '-c', `${hungry}; exit 3`], limited)).toMatchObject({ exit_code: 3, reason: 'Error' });
  expect(await suite.finish(pod, ['sh', '-c', `${hungry}; exit 0`], limited)).toMatchObject({ exit_code: 0, reason: 'Completed' });
});

test('a container that a client kills was not killed for memory, whatever became of a child of it', async () => {
  const id = await suite.run(pod, ['sh', '-c', `${hungry}; echo survived; while :; do sleep 0.05; done`], limited);
  const { log_path: path } = await suite.cri.containerStatus(id);
  await expect.poll(() => readFileSync(path, 'utf8'), { timeout: 10_000 }).toContain('survived');
  await suite.cri.stopContainer(id, 0);
  expect(await suite.cri.containerStatus(id)).toMatchObject({ exit_code: 137, reason: 'Error' });
});

test('a container that has ended cannot be updated', async () => {
  const { id } = await suite.finish(pod, ['true']);
  await expect(suite.cri.call('UpdateContainerResources', { container_id: id, linux: { cpu_shares: '512' } })).rejects.toMatchObject({ code: grpcStatus.FAILED_PRECONDITION });
});

test('a process that an exec leaves behind with its output open holds nobody up, and ends with the container', async () => {
  const id = await suite.run(pod, [...waiting]);
  const { stdout, exit_code: code } = await suite.cri.execSync(id, ['sh', '-c', 'sleep 4987 & echo started']);
  expect([stdout.toString(), code]).toEqual(['started\n', 0]);
  expect((await suite.cri.execSync(id, ['sh', '-c', 'ps -o args | grep -c "sleep [4]987"'])).stdout.toString()).toBe('1\n');
});
