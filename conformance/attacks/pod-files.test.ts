/** What root in a container can do to the node by the files of its pod, which it may write. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { noHoldings } from '../fixtures/leaks.ts';
import { CriSuite, waiting } from '../cri/suite.ts';

let suite: CriSuite;
beforeAll(async () => {
  suite = await CriSuite.start();
});
afterEach(async () => {
  await suite.node.removePods();
  expect(await suite.node.leaks()).toEqual(noHoldings);
});
afterAll(async () => suite.close());

const files = ['/etc/hosts', '/etc/hostname', '/etc/resolv.conf'];
const mostBytes = 256 << 10;

test('who fills them fills nothing else, and pays for it with its own memory', async () => {
  const linux = { security_context: { namespace_options: { network: 'POD', pid: 'CONTAINER', ipc: 'POD' }, capabilities: { drop_capabilities: ['ALL'] } } };
  const pod = await suite.pod();
  const id = await suite.run(pod, [...waiting], { linux });
  const say = async (script: string): Promise<string> => {
    const { stdout, stderr } = await suite.cri.execSync(id, ['sh', '-c', script]);
    return stdout.toString() + stderr.toString();
  };
  for (const file of files) expect(await say(`dd if=/dev/zero of=${file} bs=1M count=8 conv=notrunc`)).toMatch(/No space left on device/);
  const bytes = Number(await say(`cat ${files.join(' ')} | wc -c`));
  expect(bytes).toBeGreaterThan(32 << 10);
  expect(bytes).toBeLessThan(mostBytes + readFileSync('/etc/hosts').length);
  const shared = /^shmem (\d+)$/m.exec(await say('cat /sys/fs/cgroup/memory/memory.stat /sys/fs/cgroup/memory.stat'))?.[1];
  expect(Number(shared)).toBeGreaterThan(32 << 10);
  // Nothing of it lies in the file system that all pods share.
  const [program, ...args] = suite.node.namespace.enter(['du', '-xsk', join(suite.node.scratch.dir, 'run/pods', pod.id)]);
  expect(Number.parseInt(spawnSync(program, args, { encoding: 'utf8' }).stdout, 10)).toBeLessThan(64);
  await suite.run(pod, [...waiting]);
});

test('no program and no device in them is one', async () => {
  const pod = await suite.pod();
  const id = await suite.run(pod, [...waiting]);
  const { stdout, stderr } = await suite.cri.execSync(id, ['sh', '-c', 'printf "#!/bin/sh\\necho runs" > /etc/hosts; chmod 4755 /etc/hosts; /etc/hosts; grep " /etc/hosts " /proc/mounts']);
  expect(stderr.toString()).toMatch(/Permission denied/);
  expect(stdout.toString()).toMatch(/rw,nosuid,nodev,noexec/);
});
