import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cgroupsBelow } from '../fixtures/cgroups.ts';
import type { Scratch } from '../fixtures/scratch.ts';

/** Where a cluster was: enough to look for what it left, also for another process than the one that ran it. */
export interface Traces {
  /** The cluster's own directory. */
  readonly directory: string;
  /** The machine's end of the link to the node. */
  readonly link: string;
  readonly scratch: Scratch;
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}

/** Processes that name one of the cluster's directories, without this one. */
export function processesOf({ directory, scratch }: Traces): readonly { readonly pid: number; readonly command: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map((name) => ({ pid: Number(name), command: commandLine(name) }))
    .filter(({ command }) => command.includes(directory) || command.includes(scratch.dir));
}

/** What is left of a cluster on this machine; empty when it was taken down. Its mounts live and die with its processes. */
export function remainsOf(traces: Traces): readonly string[] {
  const { directory, link, scratch } = traces;
  return [
    ...[directory, scratch.dir, `/sys/class/net/${link}`].filter((path) => existsSync(path)),
    ...cgroupsBelow(scratch.cgroup),
    ...processesOf(traces).map(({ pid, command }) => `${pid} ${command}`),
    ...readFileSync('/proc/self/mounts', 'utf8').split('\n').filter((line) => line.includes(directory) || line.includes(scratch.dir)),
  ];
}
