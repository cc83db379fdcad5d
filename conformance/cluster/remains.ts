import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { cgroupsBelow, killCgroup } from '../fixtures/cgroups.ts';
import { processesOf } from '../fixtures/leaks.ts';
import { removeScratch, type Scratch } from '../fixtures/scratch.ts';
import { writeKernelTunables, type KernelTunable } from '../kubelet/kernel-tunables.ts';

/** Where a cluster was: enough to look for what it left and to remove it, also for another process than the one that ran it. */
export interface Traces {
  /** The cluster's own directory. */
  readonly directory: string;
  /** The machine's end of the link to the node. */
  readonly link: string;
  readonly scratch: Scratch;
}

/** Directories that Kubernetes' and the runtimes' programs make at fixed places. */
const sharedDirectories = ['/run/berth-shims', '/run/crun', '/run/runc', '/var/lib/cni', '/var/lib/kubelet', '/var/log/containers', '/var/log/pods'];

/** What of the machine itself a cluster changes. */
export interface Machine {
  readonly tunables: readonly KernelTunable[];
  /** Those of the shared directories that are not there. */
  readonly absent: readonly string[];
}

export const absentDirectories = (): readonly string[] => sharedDirectories.filter((path) => !existsSync(path));

/** Removes those of `absent` that came and are empty: others may have begun to use them. */
export function removeNewDirectories(absent: readonly string[]): void {
  for (const path of absent) {
    if (existsSync(path) && readdirSync(path).length === 0) rmdirSync(path);
  }
}

const processes = ({ directory, scratch }: Traces): readonly string[] => [scratch.dir, directory].flatMap((dir) => processesOf({ dir, cgroup: scratch.cgroup }, new Set()));

/** What is left of a cluster on this machine; empty when it was taken down. Its mounts live and die with its processes. */
export function remainsOf(traces: Traces): readonly string[] {
  const { directory, link, scratch } = traces;
  return [
    ...[directory, scratch.dir, `/sys/class/net/${link}`].filter((path) => existsSync(path)),
    ...cgroupsBelow(scratch.cgroup),
    ...processes(traces),
    ...readFileSync('/proc/self/mounts', 'utf8').split('\n').filter((line) => line.includes(directory) || line.includes(scratch.dir)),
  ];
}

/** Takes down a cluster whose own process is gone. */
export async function sweep(traces: Traces, { tunables, absent }: Machine): Promise<void> {
  for (const line of processes(traces)) {
    try {
      process.kill(Number(line.split(' ', 1)[0]), 'SIGKILL');
    } catch {
      // It ended by itself in between.
    }
  }
  await killCgroup(traces.scratch.cgroup);
  execFileSync('sh', ['-c', 'ip link delete "$1" 2>/dev/null || true', 'sh', traces.link]);
  removeScratch(traces.scratch);
  rmSync(traces.directory, { recursive: true, force: true });
  writeKernelTunables(tunables);
  removeNewDirectories(absent);
}
