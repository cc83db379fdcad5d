import { readdirSync, readFileSync } from 'node:fs';
import { cgroupsBelow } from '../fixtures/cgroups.ts';
import type { NodeDaemon } from '../fixtures/node-daemon.ts';
import { processesOf } from '../fixtures/leaks.ts';
import type { Bound } from './slope.ts';

/** What is looked at, in the order of the table, with what counts as noise. */
export const bounds = {
  'berthd RSS MB': { part: 0.1, least: 8 },
  'berthd PSS MB': { part: 0.1, least: 8 },
  'agent PSS MB': { part: 0.2, least: 2 },
  'shims PSS MB': { part: 0.2, least: 8 },
  'berthd fds': { part: 0.2, least: 10 },
  'agent fds': { part: 0.2, least: 5 },
  shims: { part: 0.1, least: 3 },
  mounts: { part: 0.1, least: 20 },
  cgroups: { part: 0.1, least: 30 },
  netns: { part: 0.1, least: 3 },
  addresses: { part: 0.1, least: 3 },
} satisfies Readonly<Record<string, Bound>>;

export type Quantity = keyof typeof bounds;
export type Sample = Readonly<Record<Quantity, number>>;

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // The process ended in between.
    return '';
  }
};

const megabytes = (pid: number, file: string, key: string): number => Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(read(`/proc/${pid}/${file}`))?.[1] ?? 0) / 1024;
const pss = (pids: readonly number[]): number => pids.reduce((sum, pid) => sum + megabytes(pid, 'smaps_rollup', 'Pss'), 0);

function fds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    try {
      return sum + readdirSync(`/proc/${pid}/fd`).length;
    } catch {
      return sum;
    }
  }, 0);
}

/** What the daemon, its agent and the pods hold at this moment. */
export function sample(daemon: NodeDaemon): Sample {
  const { scratch, namespace, pid } = daemon;
  const agents = daemon.pids.filter((each) => each !== pid);
  const processes = processesOf(scratch, new Set([...daemon.pids, namespace.pid]));
  const shims = processes.filter((line) => line.includes('berth-shim')).map((line) => Number(line.split(' ', 1)[0]));
  const mounts = namespace.mounts().filter(({ path }) => path.includes(scratch.dir));
  return {
    'berthd RSS MB': megabytes(pid, 'status', 'VmRSS'),
    'berthd PSS MB': pss([pid]),
    'agent PSS MB': pss(agents),
    'shims PSS MB': pss(shims),
    'berthd fds': fds([pid]),
    'agent fds': fds(agents),
    shims: shims.length,
    mounts: mounts.length,
    cgroups: cgroupsBelow(scratch.cgroup).length,
    netns: mounts.filter(({ path }) => path.endsWith('/ns/net')).length,
    addresses: readdirSync(`${scratch.ipamDir}/${scratch.network}`).filter((name) => /^\d/.test(name)).length,
  };
}
