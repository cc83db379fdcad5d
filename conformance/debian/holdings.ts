import { expect } from 'vitest';
import type { DebianNode } from './node.ts';

/** What pods take of a machine and must give back, a line each. The daemon's unit, the parent of all pods and the bridge are not theirs. */
const script = `
awk '{ print "mount " $5 }' /proc/self/mountinfo
find /sys/fs/cgroup -mindepth 1 -type d | grep -E 'berth|kubepods|test' | grep -Ev '/berthd.service|/berth(.slice)?$' | sed 's/^/cgroup /' || true
ip -o link | awk -F': ' '{ print "link " $2 }' | grep -Ev ' (lo|en[a-z0-9]+|berth0)' || true
ps -eo pid=,args= | grep -E 'berth-shim|berth-pause|[ /](crun|runc|httpd|tail|sleep) ' | grep -v grep | sed 's/^ */process /' || true
iptables-save 2>/dev/null | grep -E '^-A CNI-[0-9a-f]|^:CNI-[0-9a-f]' | sed 's/^/rule /' || true
find /var/lib/cni/networks -name '10.*' 2>/dev/null | sed 's/^/address /' || true
systemctl list-units --failed --no-legend --plain 'berth*' | awk '{ print "failed " $1 }'
`;

export async function holdings(node: DebianNode): Promise<readonly string[]> {
  return (await node.run(script)).split('\n').filter((line) => line !== '' && !line.startsWith('mount /proc/sys/fs/binfmt_misc')).toSorted();
}

/** Fails with what is there now and was not there in `before`; teardown gets a little time. */
export async function expectNothingMoreThan(before: readonly string[], node: DebianNode): Promise<void> {
  await expect.poll(async () => (await holdings(node)).filter((line) => !before.includes(line)), { timeout: 120_000, interval: 2000 }).toEqual([]);
}
