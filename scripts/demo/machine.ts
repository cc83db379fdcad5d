import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const bridge = 'berthdemo0';
export const cgroup = 'berth-demo';

const forwarding = '/proc/sys/net/ipv4/ip_forward';
const cgroups = '/sys/fs/cgroup';
const shimSockets = '/run/berth-shims';

/** Notes what of the machine a run will change; the function it returns puts that back. */
export function noteMachine(): () => void {
  const forwarded = readFileSync(forwarding, 'utf8');
  const sockets = existsSync(shimSockets);
  return () => {
    if (existsSync(`/sys/class/net/${bridge}`)) execFileSync('ip', ['link', 'delete', bridge]);
    // The parent of all pods is the operator's, so berthd leaves it. On a v1 machine each controller has one.
    for (const hierarchy of ['', ...directories(cgroups)]) removeCgroup(join(cgroups, hierarchy, cgroup));
    // The bridge plugin turned it on.
    if (readFileSync(forwarding, 'utf8') !== forwarded) writeFileSync(forwarding, forwarded);
    if (!sockets && existsSync(shimSockets) && readdirSync(shimSockets).length === 0) rmdirSync(shimSockets);
  };
}

/** Names of the directories in `path`; links count, as v1 controllers that share a hierarchy have two names. */
const directories = (path: string): string[] =>
  readdirSync(path, { withFileTypes: true })
    .filter((entry) => !entry.isFile())
    .map(({ name }) => name);

function removeCgroup(path: string): void {
  if (!existsSync(path)) return;
  for (const child of directories(path)) removeCgroup(join(path, child));
  rmdirSync(path);
}
