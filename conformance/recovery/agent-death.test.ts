import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { CriSuite, waiting } from '../cri/suite.ts';
import { buildImage } from '../fixtures/images.ts';
import { layer, noise } from '../fixtures/layer.ts';
import { noHoldings } from '../fixtures/leaks.ts';
import { file } from '../fixtures/tar.ts';
import { eventually } from './eventually.ts';
import { filesOfPods } from './files-of-pods.ts';
import { GatePlugin } from './gate-plugin.ts';
import { cniBinDirs } from '../fixtures/scratch.ts';

let gate: GatePlugin;
let suite: CriSuite;

beforeAll(async () => {
  gate = new GatePlugin();
  suite = await CriSuite.start({ cni: { bin_dirs: [gate.binDir, ...cniBinDirs] } });
  gate.joinNetwork(suite.node.scratch.cniConfDir);
  // The daemon sees the new chain a moment later.
  await eventually(async () => {
    const pod = await suite.pod();
    await suite.cri.removePod(pod.id);
    if (gate.events.length === 0) throw new Error('the network is still without the gate');
  });
});
beforeEach(() => {
  gate.shut();
});
afterEach(async () => {
  gate.open();
  await suite.node.removePods();
});
afterAll(async () => {
  gate?.open();
  await suite?.close();
  gate?.remove();
});

function killAgent(): void {
  const pid = suite.node.pids.find((candidate) => readFileSync(`/proc/${candidate}/comm`, 'utf8').trim() === 'berth-agent');
  if (pid === undefined) throw new Error('no agent runs');
  process.kill(pid, 'SIGKILL');
}

test('an agent that dies in the middle of a pod start: the start fails, the plugin ends, and only then is all undone', async () => {
  const other = await suite.pod({ linux: { cgroup_parent: suite.node.scratch.cgroup, security_context: { namespace_options: { network: 'NODE', pid: 'CONTAINER', ipc: 'POD' } } } });
  const id = await suite.run(other, ['sleep', '1000']);
  suite.node.markClean();
  const started = expect(suite.pod()).rejects.toThrow(/berth-agent/);
  await expect.poll(() => gate.events).toEqual(['ADD begins']);
  killAgent();
  await sleep(300);
  expect(gate.events).toEqual(['ADD begins']);
  gate.open();
  await started;
  expect(gate.events).toEqual(['ADD begins', 'ADD ends', 'DEL begins', 'DEL ends']);
  expect((await suite.cri.listPods()).map((pod) => pod.id)).toEqual([other.id]);
  expect(await suite.node.leaks()).toEqual(noHoldings);
  expect((await suite.cri.execSync(id, ['echo', 'alive'])).stdout.toString()).toBe('alive\n');
  expect((await suite.cri.podStatus((await suite.pod()).id)).state).toBe('SANDBOX_READY');
});

test('berthd that dies in the middle of a pod start: the next one lets the plugin end, and undoes the pod', async () => {
  suite.node.markClean();
  const started = expect(suite.pod()).rejects.toThrow();
  await expect.poll(() => gate.events).toEqual(['ADD begins']);
  await suite.node.kill();
  await started;
  setTimeout(() => {
    gate.open();
  }, 1500);
  await suite.node.startAgain();
  expect(gate.events).toEqual(['ADD begins', 'ADD ends', 'DEL begins', 'DEL ends']);
  expect(await suite.cri.listPods()).toEqual([]);
  expect(await suite.node.leaks()).toEqual(noHoldings);
});

test('a plugin that never ends holds up the next berthd for a few seconds only', async () => {
  suite.node.markClean();
  const started = expect(suite.pod()).rejects.toThrow();
  await expect.poll(() => gate.events).toEqual(['ADD begins']);
  await suite.node.kill();
  await started;
  await suite.node.startAgain();
  expect(gate.events).toEqual(['ADD begins', 'DEL begins', 'DEL ends']);
  expect(await suite.node.leaks()).toEqual(noHoldings);
});

test('an agent that dies while an image is unpacked: the next pull makes it whole, and its removal leaves nothing', async () => {
  gate.open();
  for (const delayMs of [0, 30, 60, 120, 240]) {
    const content = noise(24 << 20, `agent ${delayMs}`);
    const image = buildImage({ label: `agent-${delayMs}`, layers: [...suite.images.busybox().layers, layer([file('large', content)])], run: { Cmd: ['sh'] } });
    const reference = await suite.registry.push('large', String(delayMs), image);
    const pulled = suite.cri.pullImage(reference).catch(() => undefined);
    await sleep(delayMs);
    killAgent();
    await pulled;
    await suite.cri.pullImage(reference);
    const pod = await suite.pod();
    const id = await suite.run(pod, [...waiting], { image: { image: reference } });
    expect((await suite.cri.execSync(id, ['sha256sum', '/large'])).stdout.toString()).toContain(createHash('sha256').update(content).digest('hex'));
    await suite.cri.removePod(pod.id);
    await suite.cri.removeImage(reference);
  }
  await suite.node.kill();
  await suite.node.startAgain();
  await expect.poll(() => filesOfPods(suite.node).filter((name) => name.startsWith('state/snapshots'))).toHaveLength(2);
});
