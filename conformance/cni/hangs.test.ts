/** CNI plugins that never end cost their own pods only, and end with the calls that wait for them. */
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { grpcStatus } from '../fixtures/cri.ts';
import { startBerth } from '../fixtures/daemon.ts';
import type { NodeDaemon } from '../fixtures/node-daemon.ts';
import { podConfig } from '../fixtures/pods.ts';
import { cniBinDirs } from '../fixtures/scratch.ts';
import { sleepersOf } from '../fixtures/sleepers.ts';
import { missing, nativeDirectory } from '../native/private-agent.ts';

const absent = missing(join(nativeDirectory, 'berth-agent'), '/usr/lib/cni/bridge', '/usr/bin/jq');
if (absent !== undefined) console.warn(`skipped: there is no ${absent}`);

const naps = '4325';
/** Sleeps, also in a child with a session of its own, where a file says so for the command and the pod's name begins with `hang`. */
const plugin = String.raw`#!/bin/sh
dir=$(dirname "$(readlink -f "$0")")
case "$CNI_COMMAND $CNI_ARGS" in *K8S_POD_NAME=hang*) if [ -e "$dir/hang-$CNI_COMMAND" ]; then setsid sleep ${naps} & sleep ${naps}; fi;; esac
input=$(cat)
case $CNI_COMMAND in
VERSION) echo '{"cniVersion":"1.0.0","supportedVersions":["1.0.0"]}';;
ADD) echo "$input" | jq .prevResult;;
esac
`;

describe.skipIf(absent !== undefined)('a CNI plugin that hangs', () => {
  let node: NodeDaemon;
  let bin: string;

  /** The plugin's processes: they have the path of this node's plugins in their environment. */
  const sleepers = (): readonly string[] => sleepersOf(naps, bin);

  const hang = (command: string): void => {
    writeFileSync(join(bin, `hang-${command}`), '');
  };

  const code = async (call: Promise<unknown>): Promise<unknown> => call.then(() => 'done', (error: { readonly code: number }) => error.code);

  const stop = async (id: string, timeoutMs: number): Promise<unknown> => code(node.cri.call('StopPodSandbox', { pod_sandbox_id: id }, timeoutMs));

  beforeAll(async () => {
    bin = mkdtempSync(join(tmpdir(), 'berth-hang-'));
    writeFileSync(join(bin, 'sleepy'), plugin);
    chmodSync(join(bin, 'sleepy'), 0o755);
    node = await startBerth({ config: { cni: { bin_dirs: [bin, ...cniBinDirs] } } });
    const conf = join(node.scratch.cniConfDir, '10-fixture.conflist');
    const { plugins, ...list } = JSON.parse(readFileSync(conf, 'utf8')) as { readonly plugins: readonly object[] };
    writeFileSync(conf, JSON.stringify({ ...list, plugins: [...plugins, { type: 'sleepy' }] }));
    await vi.waitFor(async () => {
      expect(JSON.stringify(await node.cri.status(true))).toContain('sleepy');
    }, 20_000);
  }, 90_000);
  afterEach(() => {
    for (const command of ['ADD', 'DEL']) rmSync(join(bin, `hang-${command}`), { force: true });
  });
  afterAll(async () => {
    await node.close();
    rmSync(bin, { recursive: true });
  });

  test('holds up neither pods of the node’s network nor others, and is gone after the deadlines of its calls', async () => {
    hang('ADD');
    const deadlineMs = 25_000;
    const stuck = Array.from({ length: 20 }, async (_, index) => code(node.cri.call('RunPodSandbox', { config: podConfig(node.scratch, `hang-${index}`) }, deadlineMs)));
    await expect.poll(() => sleepers().length, { timeout: 20_000 }).toBe(40);
    const onNode = podConfig(node.scratch, 'node', { linux: { security_context: { namespace_options: { network: 'NODE', pid: 'CONTAINER', ipc: 'POD' } } } });
    const others = await Promise.all([node.cri.runPod(onNode), node.cri.runPod(podConfig(node.scratch, 'works'))]);
    // They came up beside all of those that hang.
    expect(sleepers()).toHaveLength(40);
    expect(new Set(await Promise.all(stuck))).toEqual(new Set([grpcStatus.DEADLINE_EXCEEDED]));
    await expect.poll(sleepers, { timeout: 20_000 }).toEqual([]);
    // Each failed pod is undone, and its address is free again.
    const addresses = (): readonly string[] => readdirSync(join(node.scratch.ipamDir, node.scratch.network)).filter((name) => /^\d+\./.test(name));
    await expect.poll(() => addresses().length, { timeout: 30_000 }).toBe(1);
    expect(await node.cri.listPods()).toHaveLength(2);
    for (const id of others) await node.cri.removePod(id);
    expect(addresses()).toEqual([]);
  }, 120_000);

  test('in DEL costs its StopPodSandbox its deadline, others nothing, and a later one succeeds', async () => {
    const pods = await Promise.all([node.cri.runPod(podConfig(node.scratch, 'hang')), node.cri.runPod(podConfig(node.scratch, 'works'))]);
    const [hanging, works] = pods;
    hang('DEL');
    const stopping = stop(hanging, 5000);
    await expect.poll(() => sleepers().length, { timeout: 20_000 }).toBe(2);
    expect(await stop(works, 60_000)).toBe('done');
    expect(await stopping).toBe(grpcStatus.DEADLINE_EXCEEDED);
    await expect.poll(sleepers, { timeout: 20_000 }).toEqual([]);
    rmSync(join(bin, 'hang-DEL'));
    expect(await stop(hanging, 60_000)).toBe('done');
    for (const id of pods) await node.cri.removePod(id);
  }, 120_000);
});
