import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mounts, type MountsInput } from '../../src/oci/runtime-spec/mounts.ts';
import type { OciMount } from '../../src/oci/runtime-spec/types.ts';
import { unifiedCgroups } from '../fixtures/cgroups.ts';
import { missing } from '../native/private-agent.ts';
import { makeRoot } from './bundle.ts';

/** Where the tree of version 2 is on this machine, which may have both versions. */
const tree = unifiedCgroups() ? '/sys/fs/cgroup' : '/sys/fs/cgroup/unified';
const flags = ['nsdelegate', 'memory_recursiveprot'];

/** A view of version 2 alone, in which the runtime named by "$@" runs. */
const view = `set -e
mount --make-rprivate /
if [ ! -e /sys/fs/cgroup/cgroup.controllers ]; then
  mount --bind /sys/fs/cgroup/unified "$1"
  umount -l /sys/fs/cgroup
  mount --move "$1" /sys/fs/cgroup
fi
shift
exec "$@"`;

const directory = mkdtempSync(join(tmpdir(), 'bx-'));
const name = basename(directory);
let before: readonly string[] = [];

/** Options of the one superblock, whoever has it mounted where. */
function superblock(): readonly string[] {
  const line = readFileSync('/proc/self/mountinfo', 'utf8').split('\n').find((entry) => entry.split(' ')[4] === tree) ?? '';
  return line.split(' ').at(-1)?.split(',').filter((option) => option !== 'rw') ?? [];
}

/** Any mount of it gives it options; so does this one, and goes. */
function setOptions(options: readonly string[]): void {
  const place = join(directory, 'place');
  mkdirSync(place, { recursive: true });
  execFileSync('mount', ['-t', 'cgroup2', ...(options.length === 0 ? [] : ['-o', options.join(',')]), 'none', place]);
  execFileSync('umount', [place]);
}

/** The mount of a privileged container's cgroups, which is in the node's cgroup namespace. */
function privilegedMount(): OciMount {
  const input = { security: { privileged: true, readonlyRootfs: false }, namespaces: { network: 'pod' }, files: {}, binds: [], host: { cgroupVersion: 2 } };
  const found = mounts(input as unknown as MountsInput).find(({ destination }) => destination === '/sys/fs/cgroup');
  if (found === undefined) throw new Error('a privileged container has no cgroups');
  return found;
}

/** What a container prints that has this mount. */
function run(runtime: string, mount: OciMount): string {
  const bundle = join(directory, 'bundle');
  mkdirSync(bundle, { recursive: true });
  const own = `/sys/fs/cgroup/${name}`;
  const spec = {
    ociVersion: '1.0.2',
    process: { user: { uid: 0, gid: 0 }, args: ['/bin/sh', '-c', `cat ${own}/cgroup.procs && echo 1 >${own}/cgroup.max.depth && echo writable`], env: ['PATH=/bin'], cwd: '/' },
    root: { path: join(directory, 'root') },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev'] },
      mount,
    ],
    linux: { namespaces: ['pid', 'mount', 'ipc', 'uts', 'network'].map((type) => ({ type })), cgroupsPath: `/${name}` },
  };
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(spec));
  const place = join(directory, 'view');
  mkdirSync(place, { recursive: true });
  const words = ['--mount', 'sh', '-c', view, 'sh', place, runtime, '--root', join(directory, 'state'), 'run', '--bundle', bundle, name];
  return execFileSync('unshare', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

beforeAll(() => {
  before = superblock();
  if (existsSync('/bin/busybox')) makeRoot(join(directory, 'root'));
});

describe.each(['/usr/bin/crun', '/usr/sbin/runc'])('the node’s cgroup2 options under %s', (runtime) => {
  const lack = missing(runtime, '/bin/busybox') ?? (existsSync(join(tree, 'cgroup.procs')) ? undefined : 'a tree of cgroup version 2');
  if (lack !== undefined) console.warn(`skipped: ${runtime} needs ${lack}`);

  test.skipIf(lack !== undefined)('stay as they are when a privileged container starts, which sees and may change its cgroups', () => {
    setOptions(flags);
    expect(superblock()).toEqual(flags);
    expect(run(runtime, privilegedMount())).toContain('writable');
    expect(superblock()).toEqual(flags);
  });

  test.skipIf(lack !== undefined)('would be gone with a mount of its own', () => {
    setOptions(flags);
    run(runtime, { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['nosuid', 'noexec', 'nodev'] });
    expect(superblock()).toEqual([]);
  });
});

afterAll(() => {
  if (superblock().join() !== before.join()) setOptions(before);
  rmSync(directory, { recursive: true });
});
