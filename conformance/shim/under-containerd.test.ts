/** berth-shim under real containerd: the protocol that both sides of our own house speak must be everybody's. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startContainerd } from '../fixtures/containerd.ts';
import type { ContainerStatus } from '../fixtures/cri-types.ts';
import { noHoldings } from '../fixtures/leaks.ts';
import type { NodeDaemon } from '../fixtures/node-daemon.ts';
import { containerConfig, podConfig } from '../fixtures/pods.ts';
import { Registry } from '../fixtures/registry.ts';
import { TestImages } from '../fixtures/test-images.ts';
import { buildPeers, whyNotBuildable } from '../peers/build.ts';

const unbuildable = whyNotBuildable();
if (unbuildable !== undefined) console.log(`skipping berth-shim under containerd: ${unbuildable}`);

const shimBinary = join(import.meta.dirname, '../../native/target/x86_64-unknown-linux-gnu/release/berth-shim');

describe.skipIf(unbuildable !== undefined)('containerd drives berth-shim', () => {
  const cleanup = new AsyncDisposableStack();
  let node: NodeDaemon;
  let image: string;

  beforeAll(async () => {
    await buildPeers(['containerd']);
    const directory = mkdtempSync(join(tmpdir(), 'berth-cd-'));
    cleanup.defer(() => {
      rmSync(directory, { recursive: true, force: true });
    });
    const shimDir = join(directory, 'bin');
    mkdirSync(shimDir);
    symlinkSync(shimBinary, join(shimDir, 'containerd-shim-runc-v2'));
    const registry = cleanup.use(await Registry.start({ directory }));
    const images = new TestImages();
    image = await registry.push('busybox', '1', images.busybox());
    const pauseImage = await registry.push('pause', '1', images.pause());
    node = cleanup.use(await startContainerd({ pauseImage, shimDir }));
    await node.cri.pullImage(image);
  }, 900_000);
  afterAll(async () => cleanup.disposeAsync());

  const exited = async (id: string): Promise<ContainerStatus> =>
    expect.poll(async () => node.cri.containerStatus(id), { timeout: 15_000 }).toMatchObject({ state: 'CONTAINER_EXITED' }).then(async () => node.cri.containerStatus(id));

  /** A pod with one container of this script; returns its ids and log. */
  async function run(script: string, over: Parameters<typeof containerConfig>[2] = {}): Promise<{ readonly id: string; readonly log: () => string }> {
    const config = podConfig(node.scratch);
    const pod = await node.cri.runPod(config);
    const id = await node.cri.createContainer(pod, containerConfig(image, ['sh', '-c', script], over), config);
    await node.cri.startContainer(id);
    return { id, log: () => readFileSync(join(config.log_directory ?? '', 'main.log'), 'utf8') };
  }

  test('it is our shim that runs', async () => {
    await run('sleep 1000');
    const shims = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid)).filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/exe`) === shimBinary && readFileSync(`/proc/${pid}/environ`, 'utf8').includes(node.scratch.dir);
      } catch {
        return false;
      }
    });
    // One for the sandbox's pause and one for the container.
    expect(shims).toHaveLength(2);
  });

  test('output, exit code and reason arrive', async () => {
    const { id, log } = await run('echo out; echo err >&2; exit 7');
    expect(await exited(id)).toMatchObject({ exit_code: 7, reason: 'Error' });
    expect(log()).toMatch(/ stdout F out\n/);
    expect(log()).toMatch(/ stderr F err\n/);
  });

  test('exec, stats and stop work', async () => {
    const { id } = await run('trap "exit 0" TERM; while :; do sleep 0.1; done');
    const result = await node.cri.execSync(id, ['sh', '-c', 'echo hi; exit 3']);
    expect([result.stdout.toString(), result.exit_code]).toEqual(['hi\n', 3]);
    expect(Number((await node.cri.containerStats(id)).memory?.working_set_bytes?.value)).toBeGreaterThan(0);
    await node.cri.stopContainer(id, 10);
    expect(await node.cri.containerStatus(id)).toMatchObject({ state: 'CONTAINER_EXITED', exit_code: 0 });
  });

  test('running out of memory is told', async () => {
    const resources = { memory_limit_in_bytes: String(15 << 20), memory_swap_limit_in_bytes: String(15 << 20) };
    const { id } = await run('dd if=/dev/zero of=/dev/null bs=100M', { linux: { resources } });
    expect(await exited(id)).toMatchObject({ exit_code: 137, reason: 'OOMKilled' });
  });

  test('containerd finds its containers again after a crash of its own', async () => {
    const { id } = await run('sleep 1000');
    await node.kill();
    await node.startAgain();
    expect(await node.cri.containerStatus(id)).toMatchObject({ state: 'CONTAINER_RUNNING' });
    expect((await node.cri.execSync(id, ['echo', 'back'])).stdout.toString()).toBe('back\n');
  });

  test('nothing is left', async () => {
    await node.removePods();
    expect(await node.leaks(5000)).toEqual(noHoldings);
  });
});
