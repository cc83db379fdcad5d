import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';

/** What a reader must know to judge the numbers. */
export interface Machine {
  readonly kernel: string;
  readonly processors: number;
  readonly model: string;
  readonly rcuExpedited: string;
  readonly cgroup: 'v1' | 'v2';
  readonly versions: Readonly<Record<string, string>>;
}

function firstLine(program: string, ...args: readonly string[]): string {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n', 1)[0] ?? '';
  } catch {
    return 'absent';
  }
}

const fileText = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8').trim() : 'unknown');

export function describeMachine(): Machine {
  return {
    kernel: release(),
    processors: cpus().length,
    model: cpus()[0]?.model ?? 'unknown',
    rcuExpedited: fileText('/sys/kernel/rcu_expedited'),
    cgroup: existsSync('/sys/fs/cgroup/cgroup.controllers') ? 'v2' : 'v1',
    versions: {
      node: process.version,
      berth: firstLine('git', '-C', import.meta.dirname, 'describe', '--always', '--dirty'),
      crun: firstLine('crun', '--version'),
      runc: firstLine('runc', '--version'),
      'CNI plugins': firstLine('dpkg-query', '-W', '-f', '${Version}', 'containernetworking-plugins'),
    },
  };
}

/** The load over one minute. */
export const loadNow = (): number => loadavg()[0] ?? 0;
