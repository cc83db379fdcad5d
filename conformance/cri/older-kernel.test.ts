/**
 * What containers' file systems are made of, on this kernel and with the system calls of the oldest that berth runs on,
 * where overlays are mounted by mount(2). The state root has every character in its name that means something to overlayfs.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startBerth } from '../fixtures/daemon.ts';
import { buildImage, type Image } from '../fixtures/images.ts';
import { layer } from '../fixtures/layer.ts';
import { noHoldings } from '../fixtures/leaks.ts';
import { onOlderKernel } from '../fixtures/older-kernel.ts';
import { podConfig } from '../fixtures/pods.ts';
import { dir, file } from '../fixtures/tar.ts';
import { CriSuite, waiting, type SuitePod } from './suite.ts';

const places = [
  ['this kernel', undefined, 'lowerdir+='],
  ['an older kernel', onOlderKernel, 'lowerdir='],
] as const;

describe.each(places)('on %s', (_kernel, within, option) => {
  let root: string;
  let suite: CriSuite;
  let pod: SuitePod;

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), String.raw`berth state:a,b\c-`));
    suite = await CriSuite.start({ state_root: join(root, 's'.repeat(100)) }, within);
  });
  beforeEach(async () => {
    pod = await suite.pod();
  });
  afterEach(async () => suite.node.removePods());
  afterAll(async () => {
    await suite?.close();
    rmSync(root, { recursive: true });
  });

  /** `count` layers: busybox, a user, a directory of that user's, and small ones that write over a file of the one before, `last` being the number modulo seven. */
  function layered(label: string, count: number): Image {
    const { layers } = suite.images.busybox(label);
    const user = layer([dir('etc'), file('etc/passwd', 'root:x:0:0::/:/bin/sh\nworker:x:4321:4321::/:/bin/sh\n'), dir('data', { uid: 4321 }), file('data/kept', 'kept\n', { uid: 4321 })]);
    const few = Array.from({ length: 7 }, (_, index) => layer([file('last', `${index}\n`), file(`of-${index}`, '')]));
    // Blobs repeat, as the registry takes its time over each; every layer is another one for all that.
    const small = Array.from({ length: count - layers.length - 1 }, (_, index) => few[index % few.length] ?? user);
    return buildImage({ label, layers: [...layers, user, ...small], run: { Cmd: ['sh'], Env: ['PATH=/bin'], User: 'worker', Volumes: { '/data': {} } } });
  }

  const say = async (id: string, script: string): Promise<string> => (await suite.cri.execSync(id, ['sh', '-c', script])).stdout.toString();
  const mountsOf = async (id: string): Promise<string> => say(id, 'cat /proc/1/mountinfo');

  test('a container is mounted as this kernel has it, and runs as a user of its image', async () => {
    const id = await suite.run(pod, [...waiting]);
    const rootMount = (await mountsOf(id)).split('\n').find((line) => line.includes(' / / '));
    expect(rootMount).toContain(`,${option}`);
    expect(rootMount).toContain('volatile');
    const named = await suite.run(pod, [...waiting], { linux: { security_context: { run_as_username: 'www-data', namespace_options: { network: 'POD', pid: 'CONTAINER', ipc: 'POD' } } } });
    expect(await say(named, 'id -u')).toBe('33\n');
  });

  test('500 layers run, show the topmost files, and give users and volumes as any image does', async () => {
    const image = await suite.pull('layers500', layered('layers500', 500));
    const id = await suite.run(pod, [...waiting], { image: { image } });
    expect(await say(id, 'id -u; cat /last /data/kept; ls / | grep -c ^of-; echo more > /data/more; cat /data/more')).toBe('4321\n6\nkept\n7\nmore\n');
    // Each layer is synced to the disk on its own.
  }, 240_000);

  test('501 layers are refused at the pull, by the name of the image and the limit', async () => {
    await expect(suite.pull('layers501', layered('layers501', 501))).rejects.toThrow(/layers501:1.* has 501 layers, more than the kernel's 500/);
  });

  test('images of one and of many layers are volumes, read-only and in part', async () => {
    const single = buildImage({ label: 'single', layers: [layer([file('f', 'single\n'), dir('sub'), file('sub/g', 'part\n')])] });
    const [one, many] = [await suite.pull('single', single), await suite.pull('many', layered('many', 90))];
    const mounts = [
      { host_path: '', container_path: '/one', image: { image: one }, readonly: true },
      { host_path: '', container_path: '/part', image: { image: one }, image_sub_path: 'sub', readonly: true },
      { host_path: '', container_path: '/many', image: { image: many }, readonly: true },
    ];
    const id = await suite.run(pod, [...waiting], { mounts });
    expect(await say(id, 'cat /one/f /part/g /many/last')).toBe('single\npart\n2\n');
    expect(await say(id, 'for at in /one /part /many; do touch $at/new 2>/dev/null || echo refused; done')).toBe('refused\nrefused\nrefused\n');
  });

  test('containers go on without berthd, and all of it goes with the pod', async () => {
    const id = await suite.run(pod, [...waiting]);
    await suite.node.kill();
    await suite.node.startAgain();
    expect(await say(id, 'echo alive')).toBe('alive\n');
    await suite.node.removePods();
    expect(await suite.node.leaks()).toEqual(noHoldings);
    const table = readFileSync(`/proc/${suite.node.namespace.pid}/mountinfo`, 'utf8');
    expect(table).not.toContain('sssss');
  });
});

test('on a kernel that is too old, the node is not ready, and both it and a pod say which kernel and which is needed', async () => {
  const refusal = /Linux 2\.6\.\d+\S*, and berth needs 5\.12 or newer/;
  // Such a release is what the kernel tells this program and those that it starts; see personality(2), UNAME26.
  const node = await startBerth({ within: (command) => ['setarch', '--uname-2.6', ...command], waitsForConditions: false });
  try {
    const { status, info } = await node.cri.status(true);
    expect(status.conditions.find(({ type }) => type === 'RuntimeReady')).toMatchObject({ status: false, message: expect.stringMatching(refusal) });
    const { stdout } = await promisify(execFile)(join(import.meta.dirname, '../../bin/berth'), ['--endpoint', node.socket, 'info']);
    expect(stdout).toMatch(new RegExp(`RuntimeReady +no +.*${refusal.source}`));
    expect(info['kernel']).toMatch(/^Linux 2\.6\.\d+\S*; 5\.12 or newer is needed$/);
    await expect(node.cri.runPod(podConfig(node.scratch))).rejects.toThrow(refusal);
    expect(node.log()).toMatch(refusal);
    expect(await node.leaks()).toEqual(noHoldings);
  } finally {
    await node.close();
  }
});
