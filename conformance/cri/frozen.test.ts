import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { grpcStatus } from '../fixtures/cri.ts';
import { cgroupProcesses, unifiedCgroups } from '../fixtures/cgroups.ts';
import { pidOf } from './cgroup-file.ts';
import { CriSuite, type SuitePod } from './suite.ts';

/** What somebody froze: `runc pause`, a checkpoint that was cut off, an operator who looks for something. */
const [controller, file, frozen, thawed] = unifiedCgroups() ? (['', 'cgroup.freeze', '1', '0'] as const) : (['freezer', 'freezer.state', 'FROZEN', 'THAWED'] as const);

let suite: CriSuite;
beforeAll(async () => {
  suite = await CriSuite.start();
});
afterAll(async () => suite.close());

const thaws: (() => void)[] = [];
afterEach(() => {
  for (const thaw of thaws.splice(0)) thaw();
});

async function freeze(cgroup: string): Promise<void> {
  const state = join('/sys/fs/cgroup', controller, cgroup, file);
  thaws.push(() => {
    if (existsSync(state)) writeFileSync(state, thawed);
  });
  writeFileSync(state, frozen);
  await expect.poll(() => readFileSync(state, 'utf8').trim()).toBe(frozen);
}

async function cgroupOf(id: string): Promise<string> {
  const lines = readFileSync(`/proc/${await pidOf(suite.cri, id)}/cgroup`, 'utf8').split('\n').map((line) => line.split(':'));
  return lines.find(([, names]) => names === controller)?.[2] ?? '';
}

/** Processes of a container that have become its `sleep`; a runtime is at work on the others. */
function sleepers(id: string): number {
  const isSleep = (pid: number): boolean => existsSync(`/proc/${pid}/cmdline`) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('sleep\0');
  return cgroupProcesses(`${suite.node.scratch.cgroup}/${id}`).filter(isSleep).length;
}

describe.each(['crun', 'runc'])('under %s', (handler) => {
  let pod: SuitePod;
  let id: string;

  async function start(name: string): Promise<void> {
    pod = await suite.pod({ metadata: { name: `${handler}-${name}`, namespace: 'default', uid: `${handler}-${name}`, attempt: 0 } }, handler);
    id = await suite.run(pod, ['sh', '-c', 'sleep 1000 & wait']);
  }

  async function leavesNothing(): Promise<void> {
    await suite.cri.call('RemovePodSandbox', { pod_sandbox_id: pod.id });
    expect(existsSync(join('/sys/fs/cgroup', controller, suite.node.scratch.cgroup, id))).toBe(false);
  }

  test('a container is stopped', async () => {
    await start('stop');
    await freeze(await cgroupOf(id));
    await suite.cri.call('StopContainer', { container_id: id, timeout: '1' });
    expect(await suite.cri.containerStatus(id)).toMatchObject({ state: 'CONTAINER_EXITED', exit_code: 137, reason: 'Error' });
    await leavesNothing();
  });

  test('a container whose parent is frozen is removed, and the parent stays frozen', async () => {
    await start('above');
    await freeze(suite.node.scratch.cgroup);
    await suite.cri.call('RemoveContainer', { container_id: id });
    expect(readFileSync(join('/sys/fs/cgroup', controller, suite.node.scratch.cgroup, file), 'utf8').trim()).toBe(frozen);
    await leavesNothing();
  });

  // As an engine inside of a privileged container does; version 2 has no such trouble.
  test('a container with a frozen cgroup of its own making is stopped and removed', async () => {
    await start('below');
    const made = join(await cgroupOf(id), 'made');
    mkdirSync(join('/sys/fs/cgroup', controller, made));
    writeFileSync(join('/sys/fs/cgroup', controller, made, 'cgroup.procs'), String(await pidOf(suite.cri, id)));
    await freeze(made);
    await suite.cri.call('StopContainer', { container_id: id, timeout: '1' });
    expect(await suite.cri.containerStatus(id)).toMatchObject({ state: 'CONTAINER_EXITED', exit_code: 137 });
    await suite.cri.call('RemoveContainer', { container_id: id });
    await leavesNothing();
  });

  test('a pod is stopped', async () => {
    await start('pod');
    await freeze(await cgroupOf(id));
    await suite.cri.call('StopPodSandbox', { pod_sandbox_id: pod.id });
    expect(await suite.cri.containerStatus(id)).toMatchObject({ state: 'CONTAINER_EXITED' });
    await leavesNothing();
  });

  test('a container is taken over by the next berthd, and stopped', async () => {
    await start('recovery');
    await freeze(await cgroupOf(id));
    await suite.node.kill();
    await suite.node.startAgain();
    expect(await suite.cri.containerStatus(id)).toMatchObject({ state: 'CONTAINER_RUNNING' });
    await suite.cri.call('StopContainer', { container_id: id, timeout: '0' });
    expect(await suite.cri.containerStatus(id)).toMatchObject({ state: 'CONTAINER_EXITED' });
    await leavesNothing();
  });

  test('an exec ends at its deadline, begun before or after', async () => {
    await start('exec');
    const begun = suite.cri.call('ExecSync', { container_id: id, cmd: ['sleep', '1000'], timeout: '5' }, 60_000).catch((error: unknown) => error);
    await expect.poll(() => sleepers(id), { timeout: 10_000 }).toBe(2);
    await freeze(await cgroupOf(id));
    const late = await suite.cri.call('ExecSync', { container_id: id, cmd: ['true'], timeout: '1' }, 60_000).catch((error: unknown) => error);
    // Its runtime refuses, or is cut off at the deadline.
    expect(late).toHaveProperty('code');
    expect(await begun).toMatchObject({ code: grpcStatus.DEADLINE_EXCEEDED });
    await suite.cri.call('StopContainer', { container_id: id, timeout: '0' });
    await leavesNothing();
  });
});
