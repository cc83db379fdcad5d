/** Whatever of a pod or of the node was lost behind berthd's back, stopping and removing the pod comes to its end and leaves nothing. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { CriSuite, waiting, type SuitePod } from '../cri/suite.ts';
import { cgroupProcesses, cgroupsBelow, hierarchies, killCgroup } from '../fixtures/cgroups.ts';
import { noHoldings } from '../fixtures/leaks.ts';
import { nativeDirectory } from '../native/private-agent.ts';
import { shimOf } from './shim-of.ts';

const plugins = ['bridge', 'host-local', 'loopback', 'portmap'];
const sources = [join(nativeDirectory, 'berth-shim'), '/usr/bin/crun', '/usr/sbin/runc', ...plugins.map((plugin) => `/usr/lib/cni/${plugin}`)];

let suite: CriSuite;
/** Copies of the node's programs, which a test can take away. */
let programs: string;
let network: string;
const program = (name: string): string => join(programs, name);
const networkFile = (): string => join(suite.node.scratch.cniConfDir, '10-fixture.conflist');
function bringBack(): void {
  for (const source of sources) {
    rmSync(program(basename(source)), { force: true });
    copyFileSync(source, program(basename(source)));
  }
}
beforeAll(async () => {
  programs = mkdtempSync(join(tmpdir(), 'berth-lost-'));
  bringBack();
  const runtimes = { crun: { runtime: program('crun') }, runc: { runtime: program('runc') } };
  suite = await CriSuite.start({ shim: { path: program('berth-shim') }, runtimes, cni: { bin_dirs: [programs] } });
  network = readFileSync(networkFile(), 'utf8');
});
afterEach(async () => {
  bringBack();
  writeFileSync(networkFile(), network);
  await suite.node.removePods();
  // What one test has left is not the next one's fault.
  suite.node.markClean();
});
afterAll(async () => {
  await suite?.close();
  rmSync(programs, { recursive: true, force: true });
});

interface Victim {
  readonly pod: string;
  readonly container: string;
  readonly runtime: string;
  readonly logs: string;
}
type Loss = (victim: Victim) => Promise<void> | void;

const inNode = (script: string, ...args: readonly string[]): void => {
  const [command, ...rest] = suite.node.namespace.enter(['sh', '-ec', script, 'sh', ...args]);
  execFileSync(command, rest, { stdio: 'pipe' });
};
const inScratch = (...names: readonly string[]): string => join(suite.node.scratch.dir, ...names);
const bundle = ({ container }: Victim, ...names: readonly string[]): string => inScratch('run/containers', container, ...names);
const podDirectory = ({ pod }: Victim): string => inScratch('run/pods', pod);
const cgroup = ({ container }: Victim): string => join(suite.node.scratch.cgroup, container);

/** As far as rm gets: what is mounted in it stays. */
const remove = (path: string): void => {
  inNode('rm -rf "$1" 2>/dev/null || true', path);
};
const unmountBelow = (path: string, type = ''): void => {
  inNode('grep " $2" /proc/self/mounts | cut -d " " -f 2 | grep "^$1" | sort -r | while read -r point; do umount -l "$point"; done', path, type);
};
const moveOut = (path: string): void => {
  for (const hierarchy of hierarchies()) inNode('for pid in $1; do echo "$pid" >"$2/cgroup.procs" || true; done 2>/dev/null', cgroupProcesses(path).join(' '), hierarchy);
  inNode('rmdir "$@" 2>/dev/null || true', ...cgroupsBelow(path));
};
const failing = (path: string): void => {
  rmSync(path);
  writeFileSync(path, '#!/bin/sh\nexit 1\n', { mode: 0o755 });
};
const killShim: Loss = ({ container }) => {
  process.kill(shimOf(container), 'SIGKILL');
};
const unpin: Loss = (victim) => {
  unmountBelow(podDirectory(victim), 'nsfs ');
};
const dropState: Loss = ({ runtime, container }) => {
  remove(inScratch('run/runtime', runtime, container));
};
const restart: Loss = async () => {
  await suite.node.kill();
  await suite.node.startAgain();
};
const all = (...losses: readonly Loss[]): Loss => async (victim) => {
  for (const lose of losses) await lose(victim);
};
const losing = (path: (victim: Victim) => string): Loss => (victim) => {
  remove(path(victim));
};
const dropBundle = losing((victim) => bundle(victim));
const dropRuntime = losing(({ runtime }) => program(runtime));
const breakRuntime: Loss = ({ runtime }) => {
  failing(program(runtime));
};
const dropPod: Loss = (victim) => {
  unmountBelow(podDirectory(victim));
  remove(podDirectory(victim));
};

const losses: Readonly<Record<string, Loss>> = {
  "the container's shim": killShim,
  'everything that runs': async () => killCgroup(suite.node.scratch.cgroup),
  'the pins of its namespaces': unpin,
  "the container's shim and the pins": all(killShim, unpin),
  'the bundle': dropBundle,
  'the bundle and the shim': all(dropBundle, killShim),
  'the bundle with its mounts, and the shim': all((victim) => { unmountBelow(bundle(victim)); }, dropBundle, killShim),
  'the bundle, then berthd is restarted': all(dropBundle, restart),
  'the spec and the shim': all(losing((victim) => bundle(victim, 'config.json')), killShim),
  'the spec and the state of the runtime': all(losing((victim) => bundle(victim, 'config.json')), dropState),
  "the root file system's mount": (victim) => { unmountBelow(bundle(victim)); },
  "the pod's directory, as far as nothing is mounted there": losing(podDirectory),
  "the pod's directory and its mounts": dropPod,
  "the pod's directory and its mounts, then berthd is restarted": all(dropPod, restart),
  "the container's cgroup": (victim) => { moveOut(cgroup(victim)); },
  "the container's cgroup and its shim": all((victim) => { moveOut(cgroup(victim)); }, killShim),
  "the pod's cgroup": () => { moveOut(suite.node.scratch.cgroup); },
  "the OCI runtime's program": dropRuntime,
  "the OCI runtime's program and the shim": all(dropRuntime, killShim),
  "the OCI runtime's program and the bundle": all(dropRuntime, dropBundle),
  "the OCI runtime's program, then berthd is restarted": all(dropRuntime, restart),
  'an OCI runtime that works': breakRuntime,
  'an OCI runtime that works, and the shim': all(breakRuntime, killShim),
  'the state of the OCI runtime': dropState,
  'the state of the OCI runtime, and the shim': all(dropState, killShim),
  "the shim's program": losing(() => program('berth-shim')),
  "the shims' sockets": losing(() => inScratch('run/s')),
  "the shims' sockets, then berthd is restarted": all(losing(() => inScratch('run/s')), restart),
  'the log directory': losing(({ logs }) => logs),
  "the container's directory": losing(({ container }) => inScratch('state/containers', container)),
  'what it wrote': (victim) => { inNode('rm -rf "$(grep "$1" /proc/self/mounts | sed "s|.*upperdir=\\([^,]*\\)/fs,.*|\\1|")"', bundle(victim)); },
  'the CNI configuration, then berthd is restarted': all(losing(networkFile), restart),
};

interface Case {
  readonly what: string;
  readonly runtime: string;
  readonly mode: 'CONTAINER' | 'POD';
}
const cases = (rows: Readonly<Record<string, unknown>>): readonly Case[] =>
  Object.keys(rows).flatMap((what) => [{ what, runtime: 'crun', mode: 'CONTAINER' } as const, { what, runtime: 'runc', mode: 'POD' } as const]);

async function victimOf({ runtime, mode }: Case): Promise<Victim> {
  await expect.poll(async () => (await suite.cri.status()).status.conditions.filter(({ type, status }) => type === 'NetworkReady' && status), { timeout: 10_000 }).toHaveLength(1);
  const options = { security_context: { namespace_options: { network: 'POD', pid: mode, ipc: 'POD' } } };
  const pod: SuitePod = await suite.pod({ linux: { cgroup_parent: suite.node.scratch.cgroup, ...options } }, runtime);
  return { pod: pod.id, container: await suite.run(pod, [...waiting], { linux: options }), runtime, logs: pod.config.log_directory ?? '' };
}

/** The bridge plugin takes its rules back only with a namespace to look into, which a pod without pins has as long as its pause process lives. */
async function expectNothing(namespaceIsGone: boolean): Promise<void> {
  const left = await suite.node.leaks();
  expect(left).toEqual(namespaceIsGone ? { ...noHoldings, iptables: left.iptables } : noHoldings);
  expect(await suite.cri.listPods()).toEqual([]);
}

test.each(cases(losses))('lost: $what ($runtime, PID namespace: $mode)', async (row) => {
  const victim = await victimOf(row);
  await losses[row.what]?.(victim);
  await suite.cri.stopContainer(victim.container, 2);
  await suite.cri.stopPod(victim.pod);
  await suite.cri.removePod(victim.pod);
  await expectNothing(/pins|its mounts/.test(row.what) && row.mode === 'CONTAINER');
});

const needed: Readonly<Record<string, Loss>> = {
  'berth-shim': all(losing(() => program('berth-shim')), killShim),
  bridge: losing(() => program('bridge')),
};

test.each(cases(needed))('lost: $what, without which a pod cannot be stopped: the error names it, and it goes on once it is back ($runtime, PID namespace: $mode)', async (row) => {
  const victim = await victimOf(row);
  await needed[row.what]?.(victim);
  await expect(suite.cri.stopPod(victim.pod)).rejects.toThrow(row.what);
  await expect(suite.cri.removePod(victim.pod)).rejects.toThrow(row.what);
  bringBack();
  await suite.cri.removePod(victim.pod);
  await expectNothing(false);
});
