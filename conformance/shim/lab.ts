import { execFileSync } from 'node:child_process';
import { globSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { vi } from 'vitest';
import { nativeDirectory } from '../native/private-agent.ts';
import { peerPath } from '../peers/build.ts';

/** The shim under test. */
export const berthShim = join(nativeDirectory, 'berth-shim');
const containerdShim = peerPath('containerd-shim-runc-v2');

/** Every combination that must behave alike. */
export const handlers = [
  { name: 'berth-shim + crun', shim: berthShim, runtime: '/usr/bin/crun', protocol: 'berth' },
  { name: 'berth-shim + runc', shim: berthShim, runtime: '/usr/sbin/runc', protocol: 'berth' },
  { name: 'containerd-shim-runc-v2 + runc', shim: containerdShim, runtime: '/usr/sbin/runc', protocol: 'containerd' },
  { name: 'containerd-shim-runc-v2 + crun', shim: containerdShim, runtime: '/usr/bin/crun', protocol: 'containerd' },
] as const;

/** Processes whose environment or arguments name this directory. */
export function processesIn(directory: string): readonly string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ');
        const cwd = execFileSync('readlink', [`/proc/${pid}/cwd`], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
        return line.includes(directory) || cwd.startsWith(directory) ? [`${pid} ${line}`] : [];
      } catch {
        return [];
      }
    });
}

/** Kills what a failed test left in its cgroups, and removes those. */
export async function removeCgroups(name: string): Promise<void> {
  for (const directory of globSync(`/sys/fs/cgroup/*/${name}`)) {
    const children = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => join(directory, entry.name));
    for (const child of children) {
      for (const pid of readFileSync(join(child, 'cgroup.procs'), 'utf8').split('\n').filter((line) => line !== '')) process.kill(Number(pid), 'SIGKILL');
      await vi.waitFor(() => {
        rmdirSync(child);
      });
    }
    rmdirSync(directory);
  }
}
