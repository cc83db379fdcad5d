import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { commandsOf } from '../debian/guide.ts';

const checkout = join(import.meta.dirname, '../..');
const [, , , removal = ''] = commandsOf('Install from source');

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'berth-removal-'));
});
afterAll(() => {
  rmSync(scratch, { recursive: true, force: true });
});

/** What the removal touches, in a mount namespace in which all of it is a file system of its own. */
const stage = `
mount --make-rprivate /
mount -t tmpfs none /mnt
cp -a /etc/. /mnt
mount --move /mnt /etc
rm -rf /etc/cni /etc/berth
for place in /run /var/lib /var/cache /usr/local /sys/fs/cgroup; do mount -t tmpfs none "$place"; done
mkdir -p /run/berth/pods/p1/etc /etc/cni/net.d /var/lib/cni/networks/berth /var/lib/berth/blobs /var/cache/berth /sys/fs/cgroup/memory/berth/pod1 /sys/fs/cgroup/cpu/other
mount -t tmpfs none /run/berth/pods/p1/etc
# mount(8) keeps /run/mount.
touch /etc/cni/kept /usr/local/kept
"$1/scripts/install.sh" /usr/local ""
berth() { echo "berth $*" >>"$2"; }
systemctl() { echo "systemctl $*" >>"$2"; }
`;

test('INSTALL.md removes all that make install brought and that stopped pods left, and nothing else', () => {
  const script = join(scratch, 'removal.sh');
  writeFileSync(script, `set -eu\n${stage.replaceAll('"$2"', `"${scratch}/said"`)}\n${removal}\nfind /etc/cni /run /var/lib /var/cache /usr/local /sys/fs/cgroup ! -type d ! -path '/run/mount/*'; find /run /var/lib /var/cache /sys/fs/cgroup -mindepth 1 -type d ! -path '/run/mount*'\n[ ! -e /etc/berth ]\ncat ${scratch}/said\n`);
  const left = execFileSync('unshare', ['--mount', 'bash', script, checkout], { encoding: 'utf8', cwd: checkout });
  expect(left.trim().split('\n').toSorted()).toEqual(
    ['/etc/cni/kept', '/usr/local/kept', '/sys/fs/cgroup/memory', '/sys/fs/cgroup/cpu', '/sys/fs/cgroup/cpu/other', '/var/lib/cni', '/var/lib/cni/networks', '/var/lib/cni/networks/berth', 'berth stop --all', 'systemctl disable --now berthd', 'systemctl stop berth.slice', 'systemctl daemon-reload'].toSorted(),
  );
});
