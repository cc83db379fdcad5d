import { expect, test } from 'vitest';
import { Adjustment } from './adjustment.ts';
import { applyAdjustment } from './apply-adjustment.ts';
import type { AdjustmentMessage } from './messages.ts';
import { Owners } from './owners.ts';
import { noCpu, noMemory } from './resources.ts';
import { resources, spec, wish } from './testing/subjects.ts';

const merge = (...wishes: readonly AdjustmentMessage[]): Adjustment => {
  const adjustment = new Adjustment('c1', new Owners());
  for (const [index, each] of wishes.entries()) adjustment.add(`p${index}`, each);
  return adjustment;
};
const apply = (...wishes: readonly AdjustmentMessage[]): typeof spec => applyAdjustment(spec, merge(...wishes));
const mount = (destination: string, options: readonly string[] = []) => ({ destination, type: 'bind', source: '/s', options });
const device = (path: string) => ({ path, type: 'c', major: 10n, minor: 200n, fileMode: null, uid: null, gid: null });

test('nothing wished changes nothing', () => {
  expect(apply(wish(), wish({ linux: {} }))).toEqual(spec);
});

test('variables: replaced in place, added last, taken away', () => {
  const { env } = apply(wish({ env: [{ key: 'NEW', value: 'a=b' }, { key: 'A', value: '2' }, { key: '-EMPTY', value: '' }, { key: '-NONE', value: '' }] })).process;
  expect(env).toEqual(['PATH=/bin', 'A=2', 'NEW=a=b']);
});

test('mounts: replaced, taken away, and shallow ones first', () => {
  const { mounts } = apply(wish({ mounts: [mount('/a/b/c'), mount('/a'), mount('/data', ['ro']), mount('-/proc')] }));
  expect(mounts.map(({ destination }) => destination)).toEqual(['/a', '/data', '/a/b/c']);
});

test('a mount whose events travel makes the root let them', () => {
  expect(apply(wish({ mounts: [mount('/a', ['rslave'])] })).linux.rootfsPropagation).toBe('rslave');
  expect(apply(wish({ mounts: [mount('/a', ['rslave']), mount('/b', ['rshared'])] })).linux.rootfsPropagation).toBe('rshared');
  expect(apply(wish({ mounts: [mount('/a')] })).linux.rootfsPropagation).toBeUndefined();
});

test('no container goes without a mount namespace: its mounts would be the node’s', () => {
  expect(() => apply(wish({ linux: { namespaces: [{ type: '-mount', path: '' }] } }))).toThrow('mount namespace');
  expect(apply(wish({ linux: { namespaces: [{ type: '-mount', path: '' }, { type: 'mount', path: '' }, { type: '-pid', path: '' }] } })).linux.namespaces).toEqual([{ type: 'network', path: '/run/net' }, { type: 'mount' }]);
});

test('devices come with the right to use them', () => {
  const { devices, resources: after } = apply(wish({ linux: { devices: [device('/dev/new'), device('-/dev/old')] } })).linux;
  expect(devices).toEqual([{ path: '/dev/new', type: 'c', major: 10, minor: 200, fileMode: 0o666, uid: 0, gid: 0 }]);
  expect(after.devices).toEqual([{ allow: false, access: 'rwm' }, { allow: true, type: 'c', major: 10, minor: 200, access: 'rwm' }]);
});

test('resources: what is named replaces what was, and swap is never below memory', () => {
  const wanted = resources({
    memory: { ...noMemory, limit: { value: 5000n }, reservation: { value: 10n }, swappiness: { value: 0n }, disableOomKiller: { value: true } },
    cpu: { ...noCpu, quota: { value: -1n }, realtimePeriod: { value: 9n }, mems: '1' },
    pids: { limit: 5n },
    hugepageLimits: [{ pageSize: '2MB', limit: 4n }],
    unified: { 'memory.high': '1' },
    rdtClass: { value: 'gold' },
  });
  const { linux } = apply(wish({ linux: { resources: wanted } }));
  expect(linux.resources).toEqual({
    memory: { limit: 5000, swap: 5000, reservation: 10, swappiness: 0, disableOOMKiller: true },
    cpu: { shares: 2, cpus: '0', quota: -1, realtimePeriod: 9, mems: '1' },
    pids: { limit: 5 },
    hugepageLimits: [{ pageSize: '2MB', limit: 4 }],
    unified: { 'memory.high': '1' },
    devices: [{ allow: false, access: 'rwm' }],
  });
  expect(linux.intelRdt).toEqual({ closID: 'gold' });
});

test('a class of block I/O is refused', () => {
  expect(() => apply(wish({ linux: { resources: resources({ blockioClass: { value: 'fast' } }) } }))).toThrow('block I/O class "fast"');
});

test('namespaces, sysctls, annotations and network devices', () => {
  const after = apply(
    wish({
      annotations: { '-here': '', there: '1' },
      linux: { namespaces: [{ type: '-pid', path: '' }, { type: 'network', path: '/other' }, { type: 'cgroup', path: '' }], sysctl: { '-net.a': '', 'net.b': '2' }, netDevices: { eth1: { name: 'net1' } } },
    }),
  );
  expect(after.annotations).toEqual({ there: '1' });
  expect(after.linux.namespaces).toEqual([{ type: 'network', path: '/other' }, { type: 'cgroup' }]);
  expect(after.linux.sysctl).toEqual({ 'net.b': '2' });
  expect(after.linux.netDevices).toEqual({ eth1: { name: 'net1' } });
  expect(() => apply(wish({ linux: { namespaces: [{ type: 'moon', path: '' }] } }))).toThrow('type "moon"');
});

test('the single settings, in the words of the OCI spec', () => {
  const after = apply(
    wish({
      args: ['new', 'args'],
      rlimits: [{ type: 'RLIMIT_CORE', hard: (1n << 64n) - 1n, soft: 0n }],
      linux: {
        cgroupsPath: '/x',
        oomScoreAdj: { value: -5n },
        ioPriority: { class: 2, priority: 4 },
        scheduler: { policy: 2, nice: 0, priority: 3, flags: [0], runtime: 0n, deadline: 0n, period: 0n },
        memoryPolicy: { mode: 2, nodes: '0', flags: [0] },
        rdt: { closId: null, schemata: { value: ['L3:0=f'] }, enableMonitoring: { value: true }, remove: false },
      },
    }),
  );
  expect(after.process).toMatchObject({
    args: ['new', 'args'],
    oomScoreAdj: -5,
    rlimits: [{ type: 'RLIMIT_CORE', hard: 18446744073709551615n, soft: 0 }],
    ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 4 },
    scheduler: { policy: 'SCHED_FIFO', priority: 3, flags: ['SCHED_FLAG_RESET_ON_FORK'] },
  });
  expect(after.linux).toMatchObject({
    cgroupsPath: '/x',
    memoryPolicy: { mode: 'MPOL_BIND', nodes: '0', flags: ['MPOL_F_STATIC_NODES'] },
    intelRdt: { schemata: ['L3:0=f'], enableMonitoring: true },
  });
});

test('hooks of several plugins add up', () => {
  const none = { prestart: [], createRuntime: [], createContainer: [], startContainer: [], poststart: [], poststop: [] };
  const hook = (path: string) => ({ path, args: [], env: [], timeout: { value: 3n } });
  const after = apply(wish({ hooks: { ...none, poststop: [hook('/a')] } }), wish({ hooks: { ...none, poststop: [hook('/b')], prestart: [hook('/c')] } }));
  expect(after.hooks).toEqual({ poststop: [{ path: '/a', timeout: 3 }, { path: '/b', timeout: 3 }], prestart: [{ path: '/c', timeout: 3 }] });
});

test('a seccomp policy replaces the filter, with every number as it is', () => {
  const rule = (value: bigint) => ({ names: ['clone'], action: 'SCMP_ACT_ERRNO', errnoRet: { value: 1 }, args: [{ index: 0, value, valueTwo: 0n, op: 'SCMP_CMP_EQ' }] });
  const policy = (value: bigint) => ({ defaultAction: 'SCMP_ACT_ALLOW', defaultErrno: null, architectures: [], flags: ['SECCOMP_FILTER_FLAG_LOG'], listenerPath: '', listenerMetadata: '', syscalls: [rule(value)] });
  expect(apply(wish({ linux: { seccompPolicy: policy(7n) } })).linux.seccomp).toEqual({
    defaultAction: 'SCMP_ACT_ALLOW',
    flags: ['SECCOMP_FILTER_FLAG_LOG'],
    syscalls: [{ names: ['clone'], action: 'SCMP_ACT_ERRNO', errnoRet: 1, args: [{ index: 0, value: 7, valueTwo: 0, op: 'SCMP_CMP_EQ' }] }],
  });
  expect(apply(wish({ linux: { seccompPolicy: policy((1n << 60n) + 1n) } })).linux.seccomp?.syscalls?.[0]?.args).toMatchObject([{ value: (1n << 60n) + 1n }]);
});

const conflicts: readonly (readonly [string, AdjustmentMessage])[] = [
  ['annotation here', wish({ annotations: { here: 'x' } })],
  ['mount /m', wish({ mounts: [mount('/m')] })],
  ['args', wish({ args: ['x'] })],
  ['device /dev/x', wish({ linux: { devices: [device('/dev/x')] } })],
  ['CDI device a/b=c', wish({ CDIDevices: [{ name: 'a/b=c' }] })],
  ['rlimit RLIMIT_CORE', wish({ rlimits: [{ type: 'RLIMIT_CORE', hard: 1n, soft: 1n }] })],
  ['memory limit', wish({ linux: { resources: resources({ memory: { ...noMemory, limit: { value: 1n } } }) } })],
  ['cpuset CPUs', wish({ linux: { resources: resources({ cpu: { ...noCpu, cpus: '1' } }) } })],
  ['pids limit', wish({ linux: { resources: resources({ pids: { limit: 1n } }) } })],
  ['unified cgroup value a', wish({ linux: { resources: resources({ unified: { a: 'b' } }) } })],
  ['cgroups path', wish({ linux: { cgroupsPath: '/x' } })],
  ['seccomp policy', wish({ linux: { seccompPolicy: { defaultAction: 'a', defaultErrno: null, architectures: [], flags: [], listenerPath: '', listenerMetadata: '', syscalls: [] } } })],
  ['sysctl a', wish({ linux: { sysctl: { a: 'b' } } })],
  ['RDT CLOS id', wish({ linux: { rdt: { closId: { value: 'a' }, schemata: null, enableMonitoring: null, remove: false } } })],
];

test.each(conflicts)('two plugins cannot both set the %s', (what, one) => {
  expect(() => merge(one, one)).toThrow(`NRI plugins p0 and p1 both tried to set the ${what} of container c1`);
});

test('what a plugin takes away first, it may set anew', () => {
  const first = wish({ annotations: { a: '1' }, args: ['one'], env: [{ key: 'E', value: '1' }] });
  const second = wish({ annotations: { '-a': '', a: '2' }, args: ['', 'two'], env: [{ key: '-E', value: '' }] });
  const after = apply(first, second);
  expect([after.annotations['a'], after.process.args, after.process.env]).toEqual(['2', ['two'], ['PATH=/bin', 'A=1', 'EMPTY=']]);
});

test('validators are shown all of it, with removals marked', () => {
  const message = merge(wish({ env: [{ key: '-A', value: '' }], annotations: { x: 'y' } }), wish({ linux: { devices: [device('-/dev/old')], sysctl: { '-net.a': '' } } })).message();
  expect(message).toMatchObject({ env: [{ key: '-A', value: '' }], annotations: { x: 'y' }, linux: { devices: [{ path: '-/dev/old' }], sysctl: { '-net.a': '' } } });
});
