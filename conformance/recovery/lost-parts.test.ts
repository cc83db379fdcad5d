/** Whatever of a pod was lost behind berthd's back, stopping and removing it comes to its end and leaves nothing. */
import { execFileSync } from 'node:child_process';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { CriSuite, waiting, type SuitePod } from '../cri/suite.ts';
import { killCgroup } from '../fixtures/cgroups.ts';
import { noHoldings } from '../fixtures/leaks.ts';
import { shimOf } from './shim-of.ts';

let suite: CriSuite;
beforeAll(async () => {
  suite = await CriSuite.start();
});
afterEach(async () => {
  await suite.node.removePods();
});
afterAll(async () => suite?.close());

interface Victim {
  readonly pod: SuitePod;
  readonly container: string;
}

const inNode = (script: string, ...args: readonly string[]): void => {
  const [program, ...rest] = suite.node.namespace.enter(['sh', '-ec', script, 'sh', ...args]);
  execFileSync(program, rest);
};

const unpin = ({ pod }: Victim): void => {
  inNode('grep " nsfs " /proc/self/mounts | cut -d " " -f 2 | grep "$1" | while read -r pin; do umount "$pin"; done', pod.id);
};
const losses: readonly (readonly [string, (victim: Victim) => Promise<void> | void])[] = [
  ["the container's shim", ({ container }) => { process.kill(shimOf(container), 'SIGKILL'); }],
  ['everything that runs', async () => { await killCgroup(suite.node.scratch.cgroup); }],
  ['the pins of its namespaces', unpin],
  ["the container's shim and the pins", (victim) => { process.kill(shimOf(victim.container), 'SIGKILL'); unpin(victim); }],
];

test.each(losses.flatMap(([what, lose]) => (['CONTAINER', 'POD'] as const).map((mode) => ({ what, lose, mode }))))('lost: $what (PID namespace: $mode)', async ({ what, lose, mode }) => {
  const options = { security_context: { namespace_options: { network: 'POD', pid: mode, ipc: 'POD' } } };
  const pod = await suite.pod({ linux: { cgroup_parent: suite.node.scratch.cgroup, ...options } });
  const container = await suite.run(pod, [...waiting], { linux: options });
  await lose({ pod, container });
  await suite.cri.stopPod(pod.id);
  await suite.cri.removePod(pod.id);
  const left = await suite.node.leaks();
  // The bridge plugin takes its rules back only with a namespace to look into.
  expect(left).toEqual(what.includes('the pins') ? { ...noHoldings, iptables: left.iptables } : noHoldings);
  suite.node.markClean();
  expect(await suite.cri.listPods()).toEqual([]);
});
