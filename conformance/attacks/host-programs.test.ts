/** No program or device of the node can be changed from a container, by whatever way it is reached. */
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { nativeDirectory } from '../native/private-agent.ts';
import { noHoldings } from '../fixtures/leaks.ts';
import { textOf, readLog } from '../cri/log-file.ts';
import { CriSuite, waiting, type SuitePod } from '../cri/suite.ts';

const identity = (path: string): string => {
  const { dev, ino, mode, uid, gid, size, mtimeMs } = statSync(path);
  return [dev, ino, mode, uid, gid, size, mtimeMs].join(' ');
};
const runtimes = [
  { name: 'crun', runtime: '/usr/bin/crun' },
  { name: 'runc', runtime: '/usr/sbin/runc' },
] as const;

describe.each(runtimes)('under $name', ({ runtime }) => {
  let suite: CriSuite;
  let image: string;
  beforeAll(async () => {
    suite = await CriSuite.start({ default_runtime: 'tried', runtimes: { tried: { runtime } } });
    image = await suite.pull('attacker', suite.images.attacker());
  });
  afterEach(async () => {
    await suite.node.removePods();
    expect(await suite.node.leaks()).toEqual(noHoldings);
  });
  afterAll(async () => suite.close());

  const context = (capabilities: readonly string[]) => ({ security_context: { namespace_options: { network: 'POD', pid: 'POD', ipc: 'POD' }, seccomp: {}, capabilities: { add_capabilities: capabilities } } }) as const;
  const sharingPod = async (name: string): Promise<SuitePod> =>
    suite.pod({ metadata: { name, namespace: 'default', uid: name, attempt: 0 }, linux: { cgroup_parent: suite.node.scratch.cgroup, security_context: { namespace_options: { network: 'POD', pid: 'POD', ipc: 'POD' } } } });
  const logOf = async (id: string): Promise<string> => {
    const lines = readLog((await suite.cri.containerStatus(id)).log_path);
    return textOf(lines) + textOf(lines, 'stderr');
  };
  const attack = async (pod: SuitePod, args: readonly string[], capabilities: readonly string[]): Promise<string> => {
    const { id } = await suite.finish(pod, ['/attacker', ...args], { image: { image }, linux: context(capabilities) });
    return logOf(id);
  };
  const pause = join(nativeDirectory, 'berth-pause');

  test.each([[['SYS_PTRACE']], [['SYS_PTRACE', 'SYS_ADMIN', 'SYS_RESOURCE', 'LINUX_IMMUTABLE']]])('the first process of a pod leads to nothing that %s could change', async (capabilities) => {
    const nodes = [pause, '/dev/null'];
    const before = nodes.map(identity);
    const pod = await sharingPod('first');
    for (const path of ['/proc/1/exe', '/proc/1/fd/0', '/proc/1/fd/1', '/proc/1/fd/2']) {
      const said = await attack(pod, ['change', path], capabilities);
      // A socket of its own has a mode that means nothing; it is no file of the node.
      if (path === '/proc/1/exe') expect(said).not.toMatch(/CHANGED/);
      expect(said, path).toMatch(/refused write/);
    }
    expect(nodes.map(identity)).toEqual(before);
  });

  test('a descriptor of it that is handed to another pod changes nothing once it no longer runs', async () => {
    const before = identity(pause);
    const shared = join(suite.node.scratch.dir, 'shared');
    mkdirSync(shared, { recursive: true });
    const mounts = [{ container_path: '/shared', host_path: shared }];
    const [from, to] = [await sharingPod('from'), await suite.pod()];
    await suite.run(from, ['/attacker', 'offer', '/proc/1/exe', '/shared/socket'], { image: { image }, mounts, linux: context(['SYS_PTRACE']) });
    const taker = await suite.run(to, ['/attacker', 'take', '/shared/socket', '/shared/go'], { image: { image }, mounts });
    await expect.poll(async () => logOf(taker)).toContain('taken');
    await suite.cri.stopPod(from.id);
    await suite.cri.removePod(from.id);
    writeFileSync(join(shared, 'go'), '');
    await suite.reaches(taker, 'CONTAINER_EXITED');
    const said = await logOf(taker);
    expect(said).toMatch(/refused write: Read-only file system/);
    expect(said).not.toMatch(/CHANGED/);
    expect(identity(pause)).toBe(before);
    expect((await sharingPod('next')).id).not.toBe('');
  });

  test('who traces sees execs come by, and gets neither their program nor a way to the node', async () => {
    const pod = await sharingPod('execs');
    const other = await suite.run(pod, [...waiting], { linux: context([]) });
    const chaser = await suite.run(pod, ['sh', '-c', '/attacker chase 6 $0; touch /done; exec sleep 1000', suite.node.scratch.dir], { image: { image }, linux: context(['SYS_PTRACE']) });
    const isDone = async (): Promise<boolean> => (await suite.cri.execSync(chaser, ['ls', '/done'])).exit_code === 0;
    while (!(await isDone())) await suite.cri.execSync(other, ['true']);
    const said = await logOf(chaser);
    // Its own image's programs it may overwrite.
    const programs = said.split('\n').filter((line) => /^(NODE|WRITABLE)/.test(line) && !/^WRITABLE \/(bin\/|attacker)/.test(line));
    expect(programs).toEqual([]);
    expect(said).toMatch(/^program .*berth-pause$/m);
  });

  test.each([[['SYS_PTRACE']], [['ALL']]])('who has %s and chases the start of a neighbour gets no way to the node, and runs on', async (capabilities) => {
    const pod = await sharingPod('starts');
    const chaser = await suite.run(pod, ['/attacker', 'chase', '1000', suite.node.scratch.dir], { image: { image }, linux: context(capabilities) });
    await expect.poll(async () => logOf(chaser)).toContain('chasing');
    for (let start = 0; start < 20; start += 1) {
      const id = await suite.run(pod, ['sleep', '0.3'], { linux: context([]) });
      expect((await suite.cri.containerStatus(chaser)).state).toBe('CONTAINER_RUNNING');
      await suite.reaches(id, 'CONTAINER_EXITED');
    }
    await suite.cri.stopContainer(chaser, 10);
    const said = await logOf(chaser);
    expect(said.split('\n').filter((line) => line.startsWith('NODE'))).toEqual([]);
    // It saw its neighbours, once they ran.
    expect(said).toMatch(/^program \/bin\/sleep$/m);
  });

  test('an exec without input cannot change the node’s /dev/null, which it reads', async () => {
    const pod = await suite.pod();
    const id = await suite.run(pod, [...waiting]);
    // Each of these would change nothing that is not so already.
    for (const attempt of ['chmod 666 /proc/self/fd/0', 'chown 0:0 /proc/self/fd/0']) {
      const { stderr, exit_code: code } = await suite.cri.execSync(id, ['sh', '-c', attempt]);
      expect([attempt, code, stderr.toString()]).toEqual([attempt, 1, expect.stringContaining('Read-only file system')]);
    }
    expect((await suite.cri.execSync(id, ['sh', '-c', 'cat; cat /proc/self/fd/0; echo empty'])).stdout.toString()).toBe('empty\n');
  });
});
