import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { expectNothingMoreThan, holdings } from '../holdings.ts';
import { waiting, type DebianNode, type Pod } from '../node.ts';

interface Running {
  readonly pod: Pod;
  readonly container: string;
  readonly pid: number;
}

const counting: readonly string[] = ['sh', '-c', 'trap "exit 0" TERM; n=0; while :; do n=$((n + 1)); echo "line $n"; sleep 1; done'];

/** One pod under each runtime and one that shares its processes. */
async function startThree(node: DebianNode): Promise<readonly Running[]> {
  const wishes = [{ handler: 'crun' }, { handler: 'runc' }, { handler: 'crun', sharedProcesses: true }];
  const running: Running[] = [];
  for (const wish of wishes) {
    const pod = await node.pod(wish);
    const container = await node.start(pod, counting);
    running.push({ pod, container, pid: await node.pidOf(container) });
  }
  return running;
}

async function lastLine(node: DebianNode, container: string): Promise<number> {
  const { log_path: log } = await node.cri.containerStatus(container);
  return Number(/line (\d+)\s*$/.exec(await node.run(`tail -n 1 ${log}`))?.[1]);
}

/** Nothing of the containers has noticed: same processes, logs go on, execs work. */
async function expectRunOn(node: DebianNode, running: readonly Running[]): Promise<void> {
  for (const { container, pid } of running) {
    expect(await node.cri.containerStatus(container)).toMatchObject({ state: 'CONTAINER_RUNNING' });
    expect(await node.pidOf(container)).toBe(pid);
    expect(await node.exec(container, 'echo', 'alive')).toBe('alive');
    const line = await lastLine(node, container);
    await expect.poll(async () => lastLine(node, container), { timeout: 60_000, interval: 1000 }).toBeGreaterThan(line);
  }
}

/** After a boot: what ran is told as ended, everything it held is free, and the next pod starts. */
async function expectFreshStart(node: DebianNode, before: readonly string[]): Promise<void> {
  for (const { state } of await node.cri.listPods()) expect(state).toBe('SANDBOX_NOTREADY');
  for (const { state } of await node.cri.listContainers()) expect(state).toBe('CONTAINER_EXITED');
  await node.removePods();
  await expectNothingMoreThan(before, node);
  const next = await node.start(await node.pod(), waiting);
  expect(await node.exec(next, 'echo', 'alive')).toBe('alive');
  await node.removePods();
  await expectNothingMoreThan(before, node);
}

/** The ends of berthd and of the machine. */
export function endings(node: () => DebianNode): void {
  describe('berthd ends', () => {
    let running: readonly Running[];
    beforeAll(async () => {
      running = await startThree(node());
    });

    test('kill -9: systemd starts it again, and containers run on', async () => {
      await node().run('kill -9 $(systemctl show berthd -p MainPID --value); sleep 2');
      await node().ready();
      expect(await node().run('systemctl show berthd -p NRestarts --value')).toBe('1\n');
      await expectRunOn(node(), running);
    });

    test('systemctl restart: containers run on', async () => {
      await node().run('systemctl restart berthd');
      await node().ready();
      await expectRunOn(node(), running);
    });

    test('systemctl stop: containers run on, and one that is killed meanwhile is known to have ended', async () => {
      await node().run(`systemctl stop berthd; kill -9 ${running[0]?.pid ?? ''}; sleep 3; systemctl start berthd`);
      await node().ready();
      expect(await node().cri.containerStatus(running[0]?.container ?? '')).toMatchObject({ state: 'CONTAINER_EXITED', exit_code: 137 });
      await expectRunOn(node(), running.slice(1));
    });
  });

  describe('the machine ends', () => {
    let before: readonly string[];
    beforeAll(async () => {
      await node().removePods();
      before = await holdings(node());
    });

    test('a reboot waits for nothing of berth', async () => {
      await startThree(node());
      const from = readFileSync(node().guest.console, 'utf8').length;
      await node().run('systemctl reboot --no-block');
      // systemd gives what does not end 90 s before it kills it.
      const seconds = await node().guest.ended();
      process.stdout.write(`the machine was down after ${Math.round(seconds)} s\n`);
      expect(readFileSync(node().guest.console, 'utf8').slice(from)).not.toMatch(/(Waiting for process|SIGKILL to).*berth/);
      expect(seconds).toBeLessThan(60);
    });

    test('after the reboot everything is told and free, and pods start', async () => {
      await node().guest.boot();
      await node().ready();
      expect((await node().cri.listPods()).length).toBe(3);
      await expectFreshStart(node(), before);
    });

    test('after a power cut everything is told and free, and pods start', async () => {
      await startThree(node());
      await node().guest.cutPower();
      await node().guest.boot();
      await node().ready();
      // host-local does not sync the address that it gives out: a file that is empty now is its own to tidy.
      await node().run("find /var/lib/cni/networks -type f -name '10.*' -empty -delete");
      await expectFreshStart(node(), before);
    });
  });
}
