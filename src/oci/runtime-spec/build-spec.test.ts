import { expect, test } from 'vitest';
import { buildSpec } from './build-spec.ts';
import type { SpecInput } from './input.ts';

const input: SpecInput = {
  containerId: 'c1',
  cgroupsPath: '/pods/c1',
  rootfs: 'rootfs',
  process: {
    command: [],
    args: [],
    workingDir: '',
    envs: [{ key: 'A', value: '2' }],
    tty: false,
    image: { entrypoint: ['/entry'], cmd: ['run'], env: ['A=1', 'A', 'NOTHING', '', 'PATH=/bin'], workingDir: '/srv' },
    hostname: 'web-0',
    user: { uid: 1000, gid: 1000, groups: [1000, 2000] },
  },
  security: {
    privileged: false,
    readonlyRootfs: false,
    noNewPrivileges: true,
    capabilities: undefined,
    maskedPaths: ['/proc/kcore'],
    readonlyPaths: ['/proc/sys'],
  },
  resources: {
    cpuPeriod: 100000,
    cpuQuota: 20000,
    cpuShares: undefined,
    cpusetCpus: undefined,
    cpusetMems: undefined,
    memoryLimitBytes: 64 << 20,
    memorySwapLimitBytes: undefined,
    oomScoreAdj: -997,
    hugepageLimits: [{ pageSize: '2MB', limit: 0n }],
    unified: { 'memory.high': '1' },
  },
  namespaces: { pinDir: '/run/p/ns', network: 'pod', pid: 'container', ipc: 'pod', targetPid: undefined, user: undefined },
  files: { hostname: '/p/hostname', hosts: '/p/hosts', resolvConf: '/p/resolv.conf', shm: '/p/shm' },
  binds: [],
  devices: [],
  seccomp: undefined,
  apparmorProfile: undefined,
  selinux: undefined,
  annotations: {},
  host: { cgroupVersion: 1, swapControl: false, hugetlbControl: false, apparmor: false, selinux: false, minOomScoreAdj: 0, boundingCapabilities: (1n << 41n) - 1n },
};
const withInput = (change: Partial<SpecInput>): SpecInput => ({ ...input, ...change });
const secure = (change: Partial<SpecInput['security']>): SpecInput => withInput({ security: { ...input.security, ...change } });

test('process: image defaults, then the request, and /proc paths as asked', () => {
  const spec = buildSpec(input);
  expect(spec.process.args).toEqual(['/entry', 'run']);
  expect(spec.process.env).toEqual(['PATH=/bin', 'A=2', 'HOSTNAME=web-0']);
  expect(spec.process.cwd).toBe('/srv');
  expect(spec.linux.maskedPaths).toEqual(['/proc/kcore']);
});

test('a command drops the image cmd, arguments keep its entrypoint, nothing at all is an error', () => {
  const run = (process: Partial<SpecInput['process']>): readonly string[] =>
    buildSpec(withInput({ process: { ...input.process, ...process } })).process.args;
  expect(run({ command: ['sh'] })).toEqual(['sh']);
  expect(run({ args: ['x'] })).toEqual(['/entry', 'x']);
  expect(() => run({ image: { ...input.process.image, entrypoint: [], cmd: [] } })).toThrow('no command specified');
});

test('an entrypoint of one empty word resets that of a base image: it is none', () => {
  const args = (change: Partial<SpecInput['process']['image']>, more: Partial<SpecInput['process']> = {}): readonly string[] =>
    buildSpec(withInput({ process: { ...input.process, image: { ...input.process.image, entrypoint: [''], ...change }, ...more } })).process.args;
  expect(args({ cmd: ['run', '-x'] })).toEqual(['run', '-x']);
  expect(args({}, { args: ['other'] })).toEqual(['other']);
  expect(() => args({ cmd: [] })).toThrow('no command specified');
  expect(args({ entrypoint: ['', 'x'], cmd: [] })).toEqual(['', 'x']);
});

test('what the host cannot do is left out: swap, huge pages, v2 keys, a lower oom score', () => {
  const { resources } = buildSpec(input).linux;
  expect(resources.memory).toEqual({ limit: 64 << 20 });
  expect(resources.hugepageLimits).toBeUndefined();
  expect(resources.unified).toBeUndefined();
  expect(buildSpec(input).process.oomScoreAdj).toBe(0);
});

test.each([1, 2] as const)('on cgroup v%i a memory limit also bounds swap, unless the request says more', (cgroupVersion) => {
  const host = { ...input.host, cgroupVersion, swapControl: true };
  const memory = (resources: object): unknown => buildSpec(withInput({ host, resources: { ...input.resources, memorySwapLimitBytes: undefined, ...resources } })).linux.resources.memory;
  expect(memory({})).toEqual({ limit: 64 << 20, swap: 64 << 20 });
  expect(memory({ memorySwapLimitBytes: 96 << 20 })).toEqual({ limit: 64 << 20, swap: 96 << 20 });
  expect(memory({ memorySwapLimitBytes: -1 })).toEqual({ limit: 64 << 20, swap: -1 });
  expect(memory({ memoryLimitBytes: undefined })).toEqual({});
  // The kubelet's own word on swap: what is derived must not stand against it.
  expect(memory({ unified: { 'memory.swap.max': '1000' } })).toEqual({ limit: 64 << 20 });
});

test('without accounting of swap its limit is left out', () => {
  expect(buildSpec(withInput({ resources: { ...input.resources, memorySwapLimitBytes: 96 << 20 } })).linux.resources.memory).toEqual({ limit: 64 << 20 });
});

test('a container in the node’s cgroup namespace gets the node’s mount of cgroup2, whose options a new one would change', () => {
  const host = { ...input.host, cgroupVersion: 2 } as const;
  const cgroup = (privileged: boolean, version: 1 | 2): object | undefined =>
    buildSpec(withInput({ security: { ...input.security, privileged }, host: { ...host, cgroupVersion: version } })).mounts.find(({ destination }) => destination === '/sys/fs/cgroup');
  expect(cgroup(true, 2)).toEqual({ destination: '/sys/fs/cgroup', type: 'bind', source: '/sys/fs/cgroup', options: ['rbind', 'rprivate', 'nosuid', 'noexec', 'nodev', 'relatime', 'rw'] });
  expect(cgroup(false, 2)).toMatchObject({ type: 'cgroup' });
  expect(cgroup(true, 1)).toMatchObject({ type: 'cgroup' });
  expect(buildSpec(withInput({ host })).linux.namespaces).toContainEqual({ type: 'cgroup' });
});

test('namespaces: joins the pod, makes its own pid namespace, or none of the node', () => {
  expect(buildSpec(input).linux.namespaces).toEqual([
    { type: 'mount' },
    { type: 'network', path: '/run/p/ns/net' },
    { type: 'uts', path: '/run/p/ns/uts' },
    { type: 'ipc', path: '/run/p/ns/ipc' },
    { type: 'pid' },
  ]);
  const node = buildSpec(withInput({ namespaces: { ...input.namespaces, network: 'node', pid: 'node', ipc: 'node' } }));
  expect(node.linux.namespaces).toEqual([{ type: 'mount' }]);
  expect(() => buildSpec(withInput({ namespaces: { ...input.namespaces, pid: 'target' } }))).toThrow('not running');
});

test('privileged: every capability and device, nothing masked, /sys writable', () => {
  const spec = buildSpec(secure({ privileged: true }));
  expect(spec.process.capabilities.effective).toHaveLength(41);
  expect(spec.linux.maskedPaths).toEqual([]);
  expect(spec.linux.resources.devices).toEqual([{ allow: true, access: 'rwm' }]);
  expect(spec.mounts.find((m) => m.destination === '/sys')?.options).toContain('rw');
});

test('tunnels are open to who may make them: the device is allowed with NET_ADMIN alone', () => {
  const tun = { allow: true, type: 'c', major: 10, minor: 200, access: 'rwm' };
  const rules = (add: string[]) => buildSpec(secure({ capabilities: { add, drop: ['ALL'], addAmbient: [] } })).linux.resources.devices;
  expect(rules(['NET_ADMIN'])).toContainEqual(tun);
  expect(rules(['NET_RAW'])).not.toContainEqual(tun);
});

test("on the host's network a user namespace gets the host's /sys, since the kernel lets it mount none", () => {
  const mapping = [{ containerId: 0, hostId: 100_000, length: 65_536 }];
  const sysOf = (change: Partial<SpecInput['namespaces']>) => buildSpec(withInput({ namespaces: { ...input.namespaces, ...change } })).mounts.find((m) => m.destination === '/sys');
  const user = { uidMappings: mapping, gidMappings: mapping };
  expect(sysOf({ network: 'node', user })).toMatchObject({ type: 'bind', source: '/sys', options: expect.arrayContaining(['rbind', 'rro']) });
  for (const change of [{ user }, { network: 'node' }] as const) expect(sysOf(change)).toMatchObject({ type: 'sysfs' });
});

test('capabilities: add, drop, ALL and single names; a wrong name is an error', () => {
  const sets = (add: string[], drop: string[]): readonly string[] =>
    buildSpec(secure({ capabilities: { add, drop, addAmbient: [] } })).process.capabilities.bounding;
  expect(sets([], [])).toHaveLength(14);
  expect(sets(['net_admin'], ['CAP_NET_RAW'])).toContain('CAP_NET_ADMIN');
  expect(sets(['net_admin'], ['CAP_NET_RAW'])).not.toContain('CAP_NET_RAW');
  expect(sets([], ['ALL'])).toEqual([]);
  expect(sets(['CHOWN'], ['ALL'])).toEqual(['CAP_CHOWN']);
  expect(sets(['ALL'], ['SYS_ADMIN'])).toHaveLength(40);
  expect(sets(['ALL', 'NET_ADMIN'], ['ALL'])).toEqual(['CAP_NET_ADMIN']);
  expect(() => sets(['NET_ADMYN'], [])).toThrow('NET_ADMYN');
});

test('ALL stands for all in any case, where it is added, dropped or ambient, but has no prefix', () => {
  const sets = (add: string[], drop: string[], addAmbient: string[] = []) => buildSpec(secure({ capabilities: { add, drop, addAmbient } })).process.capabilities;
  expect(sets([], ['all']).bounding).toEqual([]);
  expect(sets(['NET_BIND_SERVICE'], ['All']).bounding).toEqual(['CAP_NET_BIND_SERVICE']);
  expect(sets(['all'], []).bounding).toHaveLength(41);
  expect(sets([], [], ['all']).ambient).toHaveLength(41);
  expect(() => sets([], ['CAP_ALL'])).toThrow('CAP_ALL');
});

test('a capability that the host cannot pass on is left out, so that the container starts without it', () => {
  const chownAndKill = 0b100001n;
  const bounded = (change: Partial<SpecInput['security']>): readonly string[] =>
    buildSpec({ ...secure(change), host: { ...input.host, boundingCapabilities: chownAndKill } }).process.capabilities.bounding;
  expect(bounded({})).toEqual(['CAP_CHOWN', 'CAP_KILL']);
  expect(bounded({ privileged: true })).toEqual(['CAP_CHOWN', 'CAP_KILL']);
  expect(bounded({ capabilities: { add: ['SYS_ADMIN'], drop: ['KILL'], addAmbient: [] } })).toEqual(['CAP_CHOWN']);
});

test('ambient capabilities are in all five sets, unless they are dropped', () => {
  const sets = (addAmbient: string[], drop: string[]) => buildSpec(secure({ capabilities: { add: [], drop, addAmbient } })).process.capabilities;
  const { bounding, effective, permitted, inheritable, ambient } = sets(['SYS_ADMIN', 'chown'], ['ALL']);
  for (const set of [bounding, effective, permitted, inheritable, ambient]) expect(set).toEqual(['CAP_CHOWN', 'CAP_SYS_ADMIN']);
  expect(sets(['SYS_ADMIN', 'CHOWN'], ['SYS_ADMIN']).ambient).toEqual(['CAP_CHOWN']);
  expect(sets(['ALL'], ['CHOWN']).ambient).toHaveLength(40);
  expect(sets([], []).inheritable).toEqual([]);
});

test('a container that asks for no oom score does not inherit the daemon’s, and none gets a lower one than the host allows', () => {
  const score = (oomScoreAdj: number | undefined, minOomScoreAdj: number) => buildSpec(withInput({ resources: { ...input.resources, oomScoreAdj }, host: { ...input.host, minOomScoreAdj } })).process.oomScoreAdj;
  expect([score(undefined, -1000), score(undefined, 100), score(-998, -1000), score(-998, -500), score(7, -500)]).toEqual([1, 100, -998, -500, 7]);
});

test('options of a mount come after those that its other fields decide', () => {
  const bind = { destination: '/d', source: '/s', readonly: true, recursiveReadOnly: false, propagation: 'private', uidMappings: [], gidMappings: [], options: ['noexec', 'nodev'] } as const;
  expect(buildSpec(withInput({ binds: [bind] })).mounts.find(({ destination }) => destination === '/d')?.options).toEqual(['rbind', 'rprivate', 'ro', 'noexec', 'nodev']);
});

test('mounts: the request wins over a default on the same path, parents come first, propagation reaches the rootfs', () => {
  const bind = { readonly: true, recursiveReadOnly: false, propagation: 'private', uidMappings: [], gidMappings: [] } as const;
  const spec = buildSpec(
    withInput({
      binds: [
        { ...bind, destination: '/data/deep', source: '/b' },
        { ...bind, destination: '/data/', source: '/a', propagation: 'host-to-container' },
        { ...bind, destination: '/etc/hosts', source: '/k/hosts' },
      ],
    }),
  );
  expect(spec.mounts.filter((m) => m.destination === '/etc/hosts').map((m) => m.source)).toEqual(['/k/hosts']);
  expect(spec.mounts.map((m) => m.source).filter((source) => ['/a', '/b', '/k/hosts'].includes(source))).toEqual(['/a', '/b', '/k/hosts']);
  expect(spec.linux.rootfsPropagation).toBe('rslave');
});

test("a volume over /etc or the parent of shared memory does not hide the pod's files", () => {
  const bind = { readonly: false, recursiveReadOnly: false, propagation: 'private', uidMappings: [], gidMappings: [], source: '/a' } as const;
  const order = buildSpec(withInput({ binds: [{ ...bind, destination: '/etc/hosts' }, { ...bind, destination: '/etc' }] })).mounts.map(({ destination }) => destination);
  expect(order.slice(order.indexOf('/etc'))).toEqual(['/etc', '/etc/hostname', '/etc/resolv.conf', '/dev/shm', '/etc/hosts']);
});

test('a working directory begins at the root', () => {
  expect(buildSpec(withInput({ process: { ...input.process, workingDir: 'a/../b' } })).process.cwd).toBe('/b');
});

test('SELinux labels are of the process and of the mounts that the runtime makes', () => {
  const { process, linux } = buildSpec(withInput({ selinux: { process: 'p', mount: 'm' } }));
  expect([process.selinuxLabel, linux.mountLabel]).toEqual(['p', 'm']);
});

test('an AppArmor profile reaches the process', () => {
  expect(buildSpec(withInput({ apparmorProfile: 'p' })).process.apparmorProfile).toBe('p');
  expect(buildSpec(input).process).not.toHaveProperty('apparmorProfile');
});
