import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execFileSync, spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { grpcStatus } from '../fixtures/cri.ts';
import { noHoldings } from '../fixtures/leaks.ts';
import { podConfig } from '../fixtures/pods.ts';
import { shimOf } from '../recovery/shim-of.ts';
import { readLog } from './log-file.ts';
import { CriSuite, waiting } from './suite.ts';

const root = join(import.meta.dirname, '../..');

let suite: CriSuite;
beforeAll(async () => {
  suite = await CriSuite.start();
});
afterEach(async () => {
  await suite.node.removePods();
});
afterAll(async () => suite.close());

test('after kill -9 pods and containers are as they were, and their logs have no hole', async () => {
  const pod = await suite.pod();
  const created = await suite.create(pod, ['true'], { metadata: { name: 'created' } });
  const running = await suite.run(pod, ['sh', '-c', 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done'], { metadata: { name: 'running' } });
  const exited = await suite.finish(pod, ['sh', '-c', 'exit 4'], { metadata: { name: 'exited' } });
  const before = { pod: await suite.cri.podStatus(pod.id), containers: await Promise.all([created, running, exited.id].map(async (id) => suite.cri.containerStatus(id))) };
  await suite.node.kill();
  await sleep(300);
  await suite.node.startAgain();
  expect({ pod: await suite.cri.podStatus(pod.id), containers: await Promise.all([created, running, exited.id].map(async (id) => suite.cri.containerStatus(id))) }).toEqual(before);
  expect((await suite.cri.execSync(running, ['echo', 'still here'])).stdout.toString()).toBe('still here\n');
  await suite.cri.startContainer(created);
  expect(await suite.reaches(created, 'CONTAINER_EXITED')).toMatchObject({ exit_code: 0 });
  await suite.cri.stopContainer(running, 0);
  const numbers = readLog(before.containers[1]?.log_path ?? '').map(({ content }) => Number(content));
  expect(numbers.length).toBeGreaterThan(20);
  expect(numbers).toEqual(numbers.map((_, index) => index + 1));
});

test('an exit while the daemon was away keeps its code and time', async () => {
  const pod = await suite.pod();
  const id = await suite.run(pod, ['sh', '-c', 'sleep 0.5; exit 6']);
  await suite.node.kill();
  await sleep(1200);
  const restartedMs = Date.now();
  await suite.node.startAgain();
  const status = await suite.cri.containerStatus(id);
  expect(status).toMatchObject({ state: 'CONTAINER_EXITED', exit_code: 6, reason: 'Error' });
  expect(Number(BigInt(status.finished_at) / 1_000_000n)).toBeLessThan(restartedMs);
});

test('a container whose shim died with the daemon is exited with 255, and its pod can be removed', async () => {
  const pod = await suite.pod();
  const id = await suite.run(pod, [...waiting]);
  await suite.node.kill();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const words = commandLine(pid);
    if (words.includes(id) && words.includes('shim')) process.kill(Number(pid), 'SIGKILL');
  }
  await suite.node.startAgain();
  const status = await suite.reaches(id, 'CONTAINER_EXITED');
  expect(status).toMatchObject({ exit_code: 255, reason: 'Unknown' });
  await suite.cri.removePod(pod.id);
  expect(await suite.node.leaks()).toEqual(noHoldings);
});

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

test('SIGTERM ends the daemon cleanly and containers go on', async () => {
  const pod = await suite.pod();
  const id = await suite.run(pod, [...waiting]);
  expect(await suite.node.stop()).toBe(true);
  await suite.node.startAgain();
  expect((await suite.cri.containerStatus(id)).state).toBe('CONTAINER_RUNNING');
});

test('an open event stream does not hold up SIGTERM; it ends', async () => {
  const ended = (async () => {
    for await (const _ of suite.cri.events()) void _;
  })();
  await suite.cri.version();
  const began = Date.now();
  expect(await suite.node.stop()).toBe(true);
  expect(Date.now() - began).toBeLessThan(5000);
  await ended;
  await suite.node.startAgain();
});

test('a call that runs when SIGTERM comes is answered', async () => {
  const pod = await suite.pod();
  const id = await suite.run(pod, [...waiting]);
  const answer = suite.cri.execSync(id, ['sh', '-c', 'sleep 1; echo late']);
  await sleep(300);
  const stopped = suite.node.stop();
  expect((await answer).stdout.toString()).toBe('late\n');
  expect(await stopped).toBe(true);
  await suite.node.startAgain();
});

test('until all is known again every call is answered as unavailable, and none with less than all', async () => {
  const pod = await suite.pod();
  const id = await suite.run(pod, [...waiting]);
  // Makes the recovery take some seconds.
  const shim = shimOf(id);
  process.kill(shim, 'SIGSTOP');
  try {
    await suite.node.kill();
    const started = suite.node.startAgain();
    const refused: string[] = [];
    const ask = async () => suite.cri.listContainers().catch((error: { code: number; details: string }) => {
      expect(error.code).toBe(grpcStatus.UNAVAILABLE);
      refused.push(error.details);
      return undefined;
    });
    await expect.poll(ask, { timeout: 30_000, interval: 50 }).toMatchObject([{ id }]);
    expect(refused.some((details) => details.includes('recovering'))).toBe(true);
    await started;
  } finally {
    process.kill(shim, 'SIGCONT');
  }
  await suite.reaches(id, 'CONTAINER_RUNNING', 30_000);
});

test('a second berthd on the same root refuses to start and says who is there', async () => {
  const command = [join(root, 'node_modules/.bin/node'), join(root, 'src/daemon/main.ts'), '--config', join(suite.node.scratch.dir, 'config.toml')];
  const [program = '', ...args] = suite.node.namespace.enter(command as [string, ...string[]]);
  const second = spawnSync(program, args, { encoding: 'utf8', timeout: 50_000 });
  expect(second.status).toBe(1);
  expect(second.stderr).toContain(`another berthd (pid ${suite.node.pid}) owns ${suite.node.scratch.dir}`);
  expect((await suite.cri.version()).runtime_name).toBe('berth');
});

test('names stay taken over a restart, and addresses are not given twice', async () => {
  const config = podConfig(suite.node.scratch, 'kept');
  const id = await suite.cri.runPod(config);
  await suite.node.kill();
  await suite.node.startAgain();
  expect(await suite.cri.runPod(config).catch((error: { code: number }) => error.code)).toBe(grpcStatus.ALREADY_EXISTS);
  const other = await suite.pod();
  expect((await suite.cri.podStatus(other.id)).network?.ip).not.toBe((await suite.cri.podStatus(id)).network?.ip);
});

test('killing the daemon in the middle of starts leaves nothing once the pods are removed', async () => {
  for (const delayMs of [5, 20, 40, 80]) {
    const start = async (index: number) => suite.run(await suite.pod({ metadata: { name: `k${index}`, namespace: 'default', uid: `k${delayMs}-${index}`, attempt: 0 } }), [...waiting]);
    const starts = Promise.allSettled([0, 1, 2, 3].map(start));
    await sleep(delayMs);
    await suite.node.kill();
    await starts;
    await suite.node.startAgain();
    await suite.node.removePods();
    expect(await suite.node.leaks(), `killed after ${delayMs} ms`).toEqual(noHoldings);
  }
});

test('killing berth-agent hurts no container; a call that it cuts off can be tried again', async () => {
  const pod = await suite.pod();
  const id = await suite.run(pod, [...waiting]);
  const agent = suite.node.pids.find((pid) => commandLine(String(pid)).includes('berth-agent'));
  if (agent === undefined) throw new Error('berthd has no agent');
  process.kill(agent, 'SIGKILL');
  const again = await suite.pod().catch(async (error: { code: number }) => {
    expect(error.code).toBe(grpcStatus.UNAVAILABLE);
    return suite.pod();
  });
  expect((await suite.cri.podStatus(again.id)).state).toBe('SANDBOX_READY');
  expect((await suite.cri.execSync(id, ['echo', 'alive'])).stdout.toString()).toBe('alive\n');
  await suite.node.removePods();
  expect(await suite.node.leaks()).toEqual(noHoldings);
});

test('a record that cannot be read is put aside and the rest is served', async () => {
  const good = await suite.pod();
  const bad = await suite.pod();
  await suite.node.stop();
  const database = join(suite.node.scratch.dir, 'state/meta.db');
  writeFileSync(join(suite.node.scratch.dir, 'break.mjs'), `import { DatabaseSync } from 'node:sqlite'; new DatabaseSync(process.argv[2]).prepare("UPDATE record SET value = '{' WHERE id = ?").run(process.argv[3]);`);
  execFileSync(join(root, 'node_modules/.bin/node'), [join(suite.node.scratch.dir, 'break.mjs'), database, bad.id]);
  await suite.node.startAgain();
  expect((await suite.cri.listPods()).map(({ id }) => id)).toEqual([good.id]);
  expect(suite.node.log()).toContain(bad.id);
});
