import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { pidOf } from '../cri/cgroup-file.ts';
import { CriSuite } from '../cri/suite.ts';
import { noHoldings } from '../fixtures/leaks.ts';
import { cutPower } from './power-cut.ts';
import { shimOf } from './shim-of.ts';

let suite: CriSuite;
beforeAll(async () => {
  suite = await CriSuite.start();
});
afterEach(async () => {
  await suite.node.removePods();
});
afterAll(async () => suite?.close());

const lives = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

const isGone = async (pid: number): Promise<void> => expect.poll(() => lives(pid), { timeout: 10_000 }).toBe(false);

describe.each(['crun', 'runc'])('a shim that gets SIGTERM, under %s', (handler) => {
  async function start(): Promise<{ readonly id: string; readonly pid: number; readonly shim: number }> {
    const id = await suite.trap(await suite.pod({}, handler), ['exit 7', 'USR1']);
    return { id, pid: await pidOf(suite.cri, id), shim: shimOf(id) };
  }

  const ended = { state: 'CONTAINER_EXITED', exit_code: 7, reason: 'Error' };

  test('keeps its container, whose end is told as always', async () => {
    const { id, pid, shim } = await start();
    process.kill(shim, 'SIGTERM');
    expect((await suite.cri.execSync(id, ['echo', 'well'])).stdout.toString()).toBe('well\n');
    expect(lives(shim)).toBe(true);
    process.kill(pid, 'SIGUSR1');
    expect(await suite.reaches(id, 'CONTAINER_EXITED')).toMatchObject(ended);
    await isGone(shim);
    await suite.node.removePods();
    expect(await suite.node.leaks()).toEqual(noHoldings);
  });

  test.each([
    ['before the end', ['SIGTERM', 'SIGUSR1']],
    ['after the end', ['SIGUSR1', 'SIGTERM']],
  ] as const)('ends while berthd is away, which finds the exit code (%s of the container)', async (_when, order) => {
    const { id, pid, shim } = await start();
    await suite.node.kill();
    for (const signal of order) {
      process.kill(signal === 'SIGTERM' ? shim : pid, signal);
      if (signal === 'SIGUSR1') await isGone(pid);
    }
    await isGone(shim);
    await suite.node.startAgain();
    expect(await suite.reaches(id, 'CONTAINER_EXITED')).toMatchObject(ended);
    await suite.node.removePods();
    expect(await suite.node.leaks()).toEqual(noHoldings);
  });

  test('ends with the node, whose run directory stays', async () => {
    const { id, pid, shim } = await start();
    await suite.node.kill();
    process.kill(pid, 'SIGUSR1');
    process.kill(shim, 'SIGTERM');
    await isGone(shim);
    await cutPower(suite.node, { runStays: true });
    await suite.node.startAgain();
    expect(await suite.cri.containerStatus(id)).toMatchObject(ended);
    await suite.node.removePods();
    expect(await suite.node.leaks()).toEqual(noHoldings);
  });
});
