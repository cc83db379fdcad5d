/** How containers end at a client's word: the stop signal, the grace and what comes after it, and removal. */
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { grpcStatus } from '../fixtures/cri.ts';
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

const ignoring = ['', 'TERM'] as const;

test('stopping sends the signal, waits, and is idempotent', async () => {
  const id = await suite.trap(pod, ['exit 0', 'TERM']);
  const began = Date.now();
  await suite.cri.stopContainer(id, 30);
  expect(Date.now() - began).toBeLessThan(5000);
  expect(await suite.cri.containerStatus(id)).toMatchObject({ state: 'CONTAINER_EXITED', exit_code: 0 });
  await suite.cri.stopContainer(id, 30);
});

test('a container that ignores the signal is killed when the grace is over, not before', async () => {
  const id = await suite.trap(pod, ignoring);
  const began = Date.now();
  await suite.cri.stopContainer(id, 1);
  expect(Date.now() - began).toBeGreaterThanOrEqual(950);
  expect(await suite.cri.containerStatus(id)).toMatchObject({ state: 'CONTAINER_EXITED', exit_code: 137 });
});

test('a grace of a year is not over at once', async () => {
  const id = await suite.trap(pod, ['sleep 0.3; exit 7', 'TERM']);
  await suite.cri.stopContainer(id, 365 * 86_400);
  expect(await suite.cri.containerStatus(id)).toMatchObject({ state: 'CONTAINER_EXITED', exit_code: 7 });
});

test('timeout 0 kills at once, without the stop signal', async () => {
  const id = await suite.trap(pod, ['echo heard it', 'TERM']);
  await suite.cri.stopContainer(id, 0);
  const { exit_code: code, log_path: log } = await suite.cri.containerStatus(id);
  expect(code).toBe(137);
  expect(readFileSync(log, 'utf8')).not.toContain('heard it');
});

test('a client that gives up stopping leads to no later kill', async () => {
  const id = await suite.trap(pod, ignoring);
  await expect(suite.cri.call('StopContainer', { container_id: id, timeout: '2' }, 500)).rejects.toMatchObject({ code: grpcStatus.DEADLINE_EXCEEDED });
  await sleep(3000);
  expect((await suite.cri.containerStatus(id)).state).toBe('CONTAINER_RUNNING');
});

test('a later stop with a shorter grace is not held up by the first', async () => {
  const id = await suite.trap(pod, ignoring);
  const first = suite.cri.stopContainer(id, 30);
  await sleep(100);
  await suite.cri.stopContainer(id, 0);
  await first;
  expect((await suite.cri.containerStatus(id)).exit_code).toBe(137);
});

test('the stop signal of the request goes before the image and is shown', async () => {
  const id = await suite.trap(pod, ['exit 7', 'USR1'], { stop_signal: 'SIGNAL_SIGUSR1' });
  expect((await suite.cri.containerStatus(id)).stop_signal).toBe('SIGNAL_SIGUSR1');
  await suite.cri.stopContainer(id, 10);
  expect((await suite.cri.containerStatus(id)).exit_code).toBe(7);
});

test("the image's stop signal is used otherwise, and SIGTERM without one", async () => {
  const image = await suite.pull('quit', suite.images.busybox('quit', { StopSignal: 'SIGQUIT' }));
  const id = await suite.trap(pod, ['exit 5', 'QUIT'], { image: { image } });
  expect((await suite.cri.containerStatus(id)).stop_signal).toBe('SIGNAL_SIGQUIT');
  await suite.cri.stopContainer(id, 10);
  expect((await suite.cri.containerStatus(id)).exit_code).toBe(5);
  const plain = await suite.create(pod, ['true'], { metadata: { name: 'plain' } });
  expect((await suite.cri.containerStatus(plain)).stop_signal).toBe('SIGNAL_SIGTERM');
});

test('a stop signal may be a real-time one, in the spelling of the image too', async () => {
  const image = await suite.pull('realtime', suite.images.busybox('realtime', { StopSignal: 'SIGRTMIN+3' }));
  const id = await suite.trap(pod, ['exit 9', '37'], { image: { image } });
  expect((await suite.cri.containerStatus(id)).stop_signal).toBe('SIGNAL_SIGRTMINPLUS3');
  await suite.cri.stopContainer(id, 10);
  expect((await suite.cri.containerStatus(id)).exit_code).toBe(9);
  const asked = await suite.trap(pod, ['exit 8', '62'], { stop_signal: 'SIGNAL_SIGRTMAXMINUS2' });
  await suite.cri.stopContainer(asked, 10);
  expect((await suite.cri.containerStatus(asked)).exit_code).toBe(8);
});

test('the signal is sent once, however many ask and however often', async () => {
  const id = await suite.trap(pod, ['echo got', 'TERM']);
  const { log_path: path } = await suite.cri.containerStatus(id);
  const stop = async () => suite.cri.call('StopContainer', { container_id: id, timeout: '30' }, 400).catch((error: { code: number }) => error.code);
  for (let round = 0; round < 2; round += 1) expect(await Promise.all([stop(), stop()])).toEqual([grpcStatus.DEADLINE_EXCEEDED, grpcStatus.DEADLINE_EXCEEDED]);
  expect(readFileSync(path, 'utf8').match(/got/g)).toHaveLength(1);
});

test.each(['created', 'running', 'exited'])('a %s container can be removed; its log stays', async (state) => {
  const id = await suite.create(pod, state === 'running' ? [...waiting] : ['echo', 'x'], { metadata: { name: state } });
  if (state !== 'created') await suite.cri.startContainer(id);
  if (state === 'exited') await suite.reaches(id, 'CONTAINER_EXITED');
  const { log_path: log } = await suite.cri.containerStatus(id);
  await suite.cri.removeContainer(id);
  await expect(suite.cri.containerStatus(id)).rejects.toMatchObject({ code: grpcStatus.NOT_FOUND });
  if (state !== 'created') expect(existsSync(log)).toBe(true);
  await suite.cri.removeContainer(id);
});

test('two removals at once both succeed', async () => {
  const id = await suite.run(pod, [...waiting]);
  await Promise.all([suite.cri.removeContainer(id), suite.cri.removeContainer(id)]);
  expect(await suite.cri.listContainers()).toEqual([]);
});

test('a container that was not started can be stopped, and can be started after that', async () => {
  const id = await suite.create(pod, [...waiting]);
  await suite.cri.stopContainer(id, 0);
  expect((await suite.cri.containerStatus(id)).state).toBe('CONTAINER_CREATED');
  await suite.cri.startContainer(id);
});
