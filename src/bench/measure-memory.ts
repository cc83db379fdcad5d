import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { removePod, startPod } from './start-pod.ts';
import type { StartedPod, Subject } from './subject.ts';

/** What pods cost beside their own programs. Bytes of proportional set size; kernel memory is not in it. */
export interface MemoryResult {
  readonly pods: number;
  /** Shims, pause processes and whatever else serves the pods, all together. */
  readonly processes: number;
  readonly processCount: number;
  /** The daemon and its children before there was a pod, and with them. */
  readonly daemonBefore: number;
  readonly daemonAfter: number;
  readonly perPod: number;
}

function pss(pid: number): number {
  try {
    const kilobytes = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? '0';
    return Number(kilobytes) * 1024;
  } catch {
    return 0;
  }
}

const sum = (pids: readonly number[]): number => pids.reduce((total, pid) => total + pss(pid), 0);

function read(link: () => string): string {
  try {
    return link();
  } catch {
    // The process ended in between.
    return '';
  }
}

/**
 * Processes that exist for the pods: those in the daemon's mount namespace or below the pods' cgroup, without the daemon
 * itself, what was there before, and the containers' own programs.
 */
function servants({ daemon }: Subject, before: ReadonlySet<number>, pods: readonly StartedPod[]): readonly number[] {
  const namespace = readlinkSync(`/proc/${daemon.namespace.pid}/ns/mnt`);
  return processesNow().filter((pid) => {
    if (before.has(pid) || daemon.pids.includes(pid)) return false;
    const cgroup = read(() => readFileSync(`/proc/${pid}/cgroup`, 'utf8'));
    if (pods.some(({ container }) => cgroup.includes(container))) return false;
    return cgroup.includes(`:${daemon.scratch.cgroup}`) || read(() => readlinkSync(`/proc/${pid}/ns/mnt`)) === namespace;
  });
}

const processesNow = (): readonly number[] => readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number);

/** Runs pods and reads what they cost once they have settled. */
export async function measureMemory(subject: Subject, pods: number): Promise<MemoryResult> {
  const before = new Set(processesNow());
  const daemonBefore = sum(subject.daemon.pids);
  const started: StartedPod[] = [];
  for (let index = 0; index < pods; index += 1) started.push(await startPod(subject));
  await sleep(1000);
  const found = servants(subject, before, started);
  const processes = sum(found);
  const daemonAfter = sum(subject.daemon.pids);
  for (const pod of started) await removePod(subject, pod);
  const growth = Math.max(0, daemonAfter - daemonBefore);
  return { pods, processes, processCount: found.length, daemonBefore, daemonAfter, perPod: (processes + growth) / pods };
}
