/** containerd's own shims, the Go one and the Rust one, as runtime handlers of berthd, unchanged: whoever speaks the protocol can keep containers. */
import { readFileSync, renameSync, statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CriSuite, waiting } from '../cri/suite.ts';
import { grpcStatus } from '../fixtures/cri.ts';
import { noHoldings } from '../fixtures/leaks.ts';
import { shimOf } from '../recovery/shim-of.ts';
import { buildPeers, peerPath, whyNotBuildable } from '../peers/build.ts';

const handler = 'containerd-runc';

describe.each(['containerd-shim-runc-v2', 'containerd-shim-runc-v2-rs'] as const)('berthd drives %s', (program) => {
  const unbuildable = whyNotBuildable(program);
  if (unbuildable !== undefined) {
    console.log(`skipping ${program} under berthd: ${unbuildable}`);
    test.skip(unbuildable, () => undefined);
    return;
  }
  let suite: CriSuite;

  beforeAll(async () => {
    await buildPeers([program]);
    suite = await CriSuite.start({ runtimes: { [handler]: { shim: peerPath(program), runtime: '/usr/sbin/runc', protocol: 'containerd' } } });
  }, 900_000);
  afterAll(async () => suite?.close());

  test('output, exit code, exec, stats and stop', async () => {
    const pod = await suite.pod({}, handler);
    const ended = await suite.finish(pod, ['sh', '-c', 'echo out; echo err >&2; exit 7'], { metadata: { name: 'short' } });
    expect(ended).toMatchObject({ exit_code: 7, reason: 'Error' });
    const log = readFileSync(ended.log_path, 'utf8');
    expect(log).toMatch(/ stdout F out\n/);
    expect(log).toMatch(/ stderr F err\n/);
    const id = await suite.run(pod, waiting, { metadata: { name: 'long' } });
    const result = await suite.cri.execSync(id, ['sh', '-c', 'echo hi; exit 3']);
    expect([result.stdout.toString(), result.exit_code]).toEqual(['hi\n', 3]);
    expect(Number((await suite.cri.containerStats(id)).memory?.working_set_bytes?.value)).toBeGreaterThan(0);
    await suite.cri.stopContainer(id, 10);
    expect(await suite.cri.containerStatus(id)).toMatchObject({ state: 'CONTAINER_EXITED', exit_code: 0 });
  });

  test('its containers and their logs outlive berthd, and an exit meanwhile is known', async () => {
    const pod = await suite.pod({}, handler);
    const counting = await suite.run(pod, ['sh', '-c', 'n=0; while :; do n=$((n+1)); echo line $n; sleep 0.02; done'], { metadata: { name: 'counting' } });
    const long = await suite.run(pod, waiting, { metadata: { name: 'long' } });
    const short = await suite.run(pod, ['sh', '-c', 'sleep 1; exit 4'], { metadata: { name: 'short' } });
    const log = (await suite.cri.containerStatus(counting)).log_path;
    await suite.node.kill();
    const then = statSync(log).size;
    await new Promise((resolve) => {
      setTimeout(resolve, 1500);
    });
    expect(statSync(log).size).toBeGreaterThan(then);
    await suite.node.startAgain();
    renameSync(log, `${log}.1`);
    await suite.cri.call('ReopenContainerLog', { container_id: counting });
    await expect.poll(() => readFileSync(log, 'utf8')).toContain('line');
    const numbers = [`${log}.1`, log].flatMap((file) => [...readFileSync(file, 'utf8').matchAll(/F line (\d+)/g)].map((match) => Number(match[1])));
    expect(numbers).toEqual(numbers.map((_unused, index) => index + 1));
    await expect.poll(async () => (await suite.cri.containerStatus(short)).exit_code).toBe(4);
    expect(await suite.cri.containerStatus(long)).toMatchObject({ state: 'CONTAINER_RUNNING' });
    expect((await suite.cri.execSync(long, ['echo', 'back'])).stdout.toString()).toBe('back\n');
  });

  test('running out of memory is told', async () => {
    const resources = { memory_limit_in_bytes: String(15 << 20), memory_swap_limit_in_bytes: String(15 << 20) };
    const pod = await suite.pod({}, handler);
    const status = await suite.finish(pod, ['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=100M'], { linux: { resources } });
    expect(status).toMatchObject({ exit_code: 137, reason: 'OOMKilled' });
  });

  test('one that hangs holds no list and no statistics up for long, and no other container’s', async () => {
    const pod = await suite.pod({}, handler);
    const [hung, well] = [await suite.run(pod, waiting, { metadata: { name: 'hung' } }), await suite.run(pod, waiting, { metadata: { name: 'well' } })];
    const shim = shimOf(hung);
    process.kill(shim, 'SIGSTOP');
    try {
      // A client's deadline is the bound: a call that waits for the shim would end with it.
      const within = async <Reply>(method: string, request: object = {}) => suite.cri.call<Reply>(method, request, 10_000);
      for (let round = 0; round < 2; round += 1) {
        const { stats } = await within<{ stats: readonly { attributes: { id: string } }[] }>('ListContainerStats');
        expect(stats.map(({ attributes }) => attributes.id)).toContain(well);
        await within('ListPodSandboxStats');
        await within('ListPodSandboxMetrics');
        await within('ListContainers');
        await within('ListPodSandbox');
        expect(await within('ContainerStatus', { container_id: hung })).toMatchObject({ status: { state: 'CONTAINER_RUNNING' } });
      }
      await expect(within('ContainerStats', { container_id: hung })).rejects.toMatchObject({ code: grpcStatus.UNAVAILABLE });
    } finally {
      process.kill(shim, 'SIGCONT');
    }
    expect(Number((await suite.cri.containerStats(hung)).memory?.working_set_bytes?.value)).toBeGreaterThan(0);
  });

  test('nothing is left', async () => {
    await suite.node.removePods();
    expect(await suite.node.leaks(5000)).toEqual(noHoldings);
  });
});
