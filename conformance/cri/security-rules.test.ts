import { existsSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { grpcStatus } from '../fixtures/cri.ts';
import type { ContainerConfig } from '../fixtures/cri-types.ts';
import { readLog, textOf } from './log-file.ts';
import { CriSuite, waiting, type SuitePod } from './suite.ts';

let suite: CriSuite;
let pod: SuitePod;
let privilegedPod: SuitePod;
const own = { network: 'POD', pid: 'CONTAINER', ipc: 'POD' };
const invalid = (words: RegExp) => ({ code: grpcStatus.INVALID_ARGUMENT, details: expect.stringMatching(words) });

beforeAll(async () => {
  suite = await CriSuite.start();
  pod = await suite.pod();
  privilegedPod = await suite.pod({ linux: { cgroup_parent: suite.node.scratch.cgroup, security_context: { privileged: true, namespace_options: own } } });
});
afterEach(async () => {
  for (const { id } of await suite.cri.listContainers()) await suite.cri.removeContainer(id);
});
afterAll(async () => suite.close());

const secured = (context: object): Partial<ContainerConfig> => ({ linux: { security_context: { namespace_options: own, ...context } } });

async function say(command: string, context: object, within = pod): Promise<string> {
  const { log_path: path } = await suite.finish(within, ['sh', '-c', command], secured(context));
  const lines = readLog(path);
  return textOf(lines) + textOf(lines, 'stderr');
}

describe('capabilities', () => {
  const sets = (status: string): readonly string[] => ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].map((set) => new RegExp(`^${set}:\\s*([0-9a-f]+)`, 'm').exec(status)?.[1] ?? '');
  const netBind = (1n << 10n).toString(16).padStart(16, '0');
  const none = '0'.repeat(16);

  test('an ambient one is kept by a user who is not root, in the container and in an exec', async () => {
    const capabilities = { drop_capabilities: ['ALL'], add_ambient_capabilities: ['NET_BIND_SERVICE'] };
    const id = await suite.run(pod, [...waiting], secured({ run_as_user: { value: '1001' }, capabilities }));
    for (const file of ['/proc/self/status', '/proc/1/status']) {
      expect(sets((await suite.cri.execSync(id, ['cat', file])).stdout.toString()), file).toEqual(Array.from({ length: 5 }, () => netBind));
    }
  });

  test('without it a user who is not root has what is added in the bounding set alone', async () => {
    const said = await say('cat /proc/self/status', { run_as_user: { value: '1001' }, capabilities: { drop_capabilities: ['ALL'], add_capabilities: ['NET_BIND_SERVICE'] } });
    expect(sets(said)).toEqual([none, none, none, netBind, none]);
  });

  test('names may have their prefix and any case, and ALL any case but no prefix', async () => {
    const bounding = async (name: string, all: string) => sets(await say('cat /proc/self/status', { capabilities: { drop_capabilities: [all], add_capabilities: [name] } }))[3];
    for (const name of ['CAP_NET_BIND_SERVICE', 'net_bind_service', 'cap_Net_Bind_Service']) expect(await bounding(name, 'ALL'), name).toBe(netBind);
    for (const all of ['all', 'All']) expect(await bounding('NET_BIND_SERVICE', all), all).toBe(netBind);
    await expect(suite.create(pod, ['true'], secured({ capabilities: { drop_capabilities: ['CAP_ALL'] } }))).rejects.toMatchObject(invalid(/CAP_ALL/));
  });
});

describe('privileged', () => {
  test('what is not privileged in a privileged pod is confined like any other', async () => {
    const said = await say('cat /proc/self/status; awk \'$2=="/sys" {print $4}\' /proc/mounts; echo 1 > /proc/sys/vm/swappiness', { seccomp: {}, readonly_paths: ['/proc/sys'] }, privilegedPod);
    expect(said).toMatch(/^Seccomp:\s*2$/m);
    expect(said).toMatch(/^ro,/m);
    expect(said).toMatch(/Read-only file system/);
  });

  test('a privileged one has nothing masked or read-only, whatever the request lists', async () => {
    const paths = { masked_paths: ['/proc/timer_list'], readonly_paths: ['/proc/sys'] };
    const said = await say('grep -c " /proc/" /proc/mounts; test -w /proc/sys/kernel/hostname && echo writable', { privileged: true, ...paths }, privilegedPod);
    expect(said).toBe('0\nwritable\n');
  });
});

describe('masked and read-only paths', () => {
  test('none in the request are none in the container', async () => {
    expect(await say('grep -c " /proc/" /proc/mounts; test -w /proc/sys/kernel/hostname && echo writable', { masked_paths: [], readonly_paths: [] })).toBe('0\nwritable\n');
  });

  test('those of the request are all that there are; one that the kernel does not have is no mistake', async () => {
    const said = await say('grep " /proc/" /proc/mounts | cut -d" " -f2 | sort', { masked_paths: ['/proc/timer_list', '/proc/nonesuch'], readonly_paths: ['/proc/bus', '/proc/none'] });
    expect(said).toBe('/proc/bus\n/proc/timer_list\n');
  });

  test('a read-only root leaves shared memory writable and protects the files of the pod', async () => {
    const said = await say('echo x > /dev/shm/x && echo shm; echo x > /etc/hosts', { readonly_rootfs: true });
    expect(said).toMatch(/^shm\n.*\/etc\/hosts: Read-only file system/);
  });
});

describe('seccomp', () => {
  const mode = async (context: object) => /^Seccomp:\s*(\d)/m.exec(await say('cat /proc/self/status', context))?.[1];
  const profile = (text: string): string => {
    const path = join(suite.node.scratch.dir, 'profile.json');
    writeFileSync(path, text);
    return path;
  };
  const noChmod = JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['chmod', 'fchmod', 'fchmodat', 'fchmodat2'], action: 'SCMP_ACT_ERRNO' }] });

  test('an empty profile is RuntimeDefault, no profile is none', async () => {
    expect([await mode({ seccomp: {} }), await mode({ seccomp: null })]).toEqual(['2', '0']);
  });

  test('the deprecated field is heeded where the new one is absent', async () => {
    for (const word of ['runtime/default', 'docker/default']) expect(await mode({ seccomp_profile_path: word }), word).toBe('2');
    for (const word of ['', 'unconfined']) expect(await mode({ seccomp_profile_path: word }), word).toBe('0');
    expect(await say('chmod 700 /tmp', { seccomp_profile_path: `localhost/${profile(noChmod)}` })).toMatch(/not permitted/);
    expect(await mode({ seccomp_profile_path: 'runtime/default', seccomp: { profile_type: 'Unconfined' } })).toBe('0');
    await expect(suite.create(pod, ['true'], secured({ seccomp_profile_path: 'something' }))).rejects.toMatchObject(invalid(/something/));
  });

  test('a reference may have the old prefix', async () => {
    expect(await say('chmod 700 /tmp', { seccomp: { profile_type: 'Localhost', localhost_ref: `localhost/${profile(noChmod)}` } })).toMatch(/not permitted/);
  });

  test.each<[string, () => object, RegExp]>([
    ['a reference with another type', () => ({ profile_type: 'RuntimeDefault', localhost_ref: '/x.json' }), /Localhost/],
    ['a relative reference', () => ({ profile_type: 'Localhost', localhost_ref: 'x.json' }), /absolute/],
    ['no reference', () => ({ profile_type: 'Localhost' }), /absolute/],
    ['a file that is no profile', () => ({ profile_type: 'Localhost', localhost_ref: profile('not json') }), /not JSON/],
  ])('%s is refused at CreateContainer', async (_what, seccomp, words) => {
    await expect(suite.create(pod, ['true'], secured({ seccomp: seccomp() }))).rejects.toMatchObject(invalid(words));
  });

  test('a filter holds in an exec too', async () => {
    const id = await suite.run(pod, [...waiting], secured({ seccomp: {} }));
    expect((await suite.cri.execSync(id, ['cat', '/proc/self/status'])).stdout.toString()).toMatch(/^Seccomp:\s*2$/m);
  });
});

describe.skipIf(existsSync('/sys/module/apparmor/parameters/enabled'))('AppArmor on a node without it', () => {
  test.each<[string, object]>([
    ['nothing', {}],
    ['Unconfined', { apparmor: { profile_type: 'Unconfined' } }],
    ['RuntimeDefault', { apparmor: { profile_type: 'RuntimeDefault' } }],
    ['the deprecated default', { apparmor_profile: 'runtime/default' }],
    ['a new field that overrides a deprecated one', { apparmor: { profile_type: 'Unconfined' }, apparmor_profile: 'localhost/mine' }],
  ])('%s runs', async (_what, context) => {
    expect(await say('echo runs', context)).toBe('runs\n');
  });

  test.each<[string, object]>([
    ['apparmor', { apparmor: { profile_type: 'Localhost', localhost_ref: 'mine' } }],
    ['apparmor with the old prefix', { apparmor: { profile_type: 'Localhost', localhost_ref: 'localhost/mine' } }],
    ['the deprecated apparmor_profile', { apparmor_profile: 'localhost/mine' }],
  ])('a profile named by %s is refused at CreateContainer', async (_what, context) => {
    await expect(suite.create(pod, ['true'], secured(context))).rejects.toMatchObject(invalid(/"mine".*no AppArmor/));
  });
});

describe.skipIf(existsSync('/sys/fs/selinux/enforce'))('SELinux on a node without it', () => {
  const options = { user: 'system_u', role: 'system_r', type: 'spc_t', level: 's0:c1,c2' };

  test('options are taken and not followed, as a chart asks for them on every node', async () => {
    const asking = await suite.pod({ linux: { cgroup_parent: suite.node.scratch.cgroup, security_context: { namespace_options: own, selinux_options: options } } });
    expect(await say('echo runs', { selinux_options: options }, asking)).toBe('runs\n');
    await suite.cri.removePod(asking.id);
  });

  test('a level that is none is refused, for a pod and for a container', async () => {
    const selinux = { selinux_options: { ...options, level: 'gibberish' } };
    await expect(suite.create(pod, ['true'], secured(selinux))).rejects.toMatchObject(invalid(/gibberish/));
    await expect(suite.pod({ linux: { cgroup_parent: suite.node.scratch.cgroup, security_context: { namespace_options: own, ...selinux } } })).rejects.toMatchObject(invalid(/gibberish/));
  });
});

describe('users', () => {
  test('a uid that the image does not know has group 0, a name goes with its own group', async () => {
    expect(await say('id -u; id -g; id -G', { run_as_user: { value: '4711' } })).toBe('4711\n0\n0\n');
    expect(await say('id -u; id -g', { run_as_username: 'www-data' })).toBe('33\n33\n');
    expect(await say('id -u; id -g', { run_as_username: 'www-data', run_as_group: { value: '5' } })).toBe('33\n5\n');
    expect(await say('id -un; id -u', { run_as_user: { value: '1' }, run_as_username: 'nobody' })).toBe('nobody\n65534\n');
  });

  test.each(['-1', '4294967296'])('the uid %s is refused', async (value) => {
    await expect(suite.create(pod, ['true'], secured({ run_as_user: { value } }))).rejects.toMatchObject(invalid(/run_as_user/));
  });
});

test('what a pod says of its own process is not for its containers', async () => {
  const context = { namespace_options: own, run_as_user: { value: '1001' }, run_as_group: { value: '1002' }, supplemental_groups: ['1234'], readonly_rootfs: true, seccomp: { profile_type: 'RuntimeDefault' } };
  const strict = await suite.pod({ linux: { cgroup_parent: suite.node.scratch.cgroup, security_context: context } });
  expect(await say('id -u; id -G; touch /x && echo written; grep Seccomp: /proc/self/status', {}, strict)).toBe('0\n0\nwritten\nSeccomp:\t0\n');
  await suite.cri.removePod(strict.id);
});

describe('namespaces', () => {
  const joining = (target: string) => secured({ namespace_options: { ...own, pid: 'TARGET', target_id: target } });

  test('TARGET takes a running container of the same pod alone', async () => {
    const other = await suite.run(privilegedPod, [...waiting], { metadata: { name: 'other' } });
    await expect(suite.create(pod, ['true'], joining(other))).rejects.toMatchObject(invalid(/another pod/));
    const created = await suite.create(pod, [...waiting], { metadata: { name: 'created' } });
    await expect(suite.create(pod, ['true'], joining(created))).rejects.toMatchObject({ code: grpcStatus.FAILED_PRECONDITION, details: expect.stringContaining(created) });
    await expect(suite.create(pod, ['true'], joining(''))).rejects.toThrow();
  });

  test('a target that ends between CreateContainer and StartContainer fails the start', async () => {
    const target = await suite.run(pod, [...waiting], { metadata: { name: 'target' } });
    const id = await suite.create(pod, [...waiting], { metadata: { name: 'late' }, ...joining(target) });
    await suite.cri.stopContainer(target);
    await expect(suite.cri.startContainer(id)).rejects.toMatchObject({ code: grpcStatus.FAILED_PRECONDITION, details: expect.stringContaining(target) });
  });

  test.each([
    ['network', 'CONTAINER'],
    ['network', 'TARGET'],
    ['ipc', 'CONTAINER'],
    ['ipc', 'TARGET'],
    ['pid', 'TARGET'],
  ])('a pod cannot have a %s namespace of mode %s', async (kind, mode) => {
    await expect(suite.pod({ linux: { cgroup_parent: suite.node.scratch.cgroup, security_context: { namespace_options: { ...own, [kind]: mode } } } })).rejects.toMatchObject({ code: grpcStatus.INVALID_ARGUMENT });
  });

  test('a pod with the node’s IPC and PID namespaces is in them', async () => {
    const options = { namespace_options: { network: 'POD', pid: 'NODE', ipc: 'NODE' } };
    const shared = await suite.pod({ linux: { cgroup_parent: suite.node.scratch.cgroup, security_context: options } });
    const id = await suite.run(shared, [...waiting], { linux: { security_context: options } });
    for (const kind of ['ipc', 'pid']) {
      expect((await suite.cri.execSync(id, ['readlink', `/proc/self/ns/${kind}`])).stdout.toString().trim(), kind).toBe(readlinkSync(`/proc/self/ns/${kind}`));
    }
    expect((await suite.cri.execSync(id, ['stat', '-c', '%d', '/dev/shm'])).stdout.toString().trim()).toBe(String(statSync('/dev/shm').dev));
    await suite.cri.removePod(shared.id);
  });
});

describe('sysctls', () => {
  const podWith = (sysctls: object, namespaces: object = {}) => suite.pod({ linux: { cgroup_parent: suite.node.scratch.cgroup, sysctls, security_context: { namespace_options: { ...own, ...namespaces } } } });

  test.each<[string, object, object]>([
    ['vm.swappiness', { 'vm.swappiness': '1' }, {}],
    ['kernel.panic', { 'kernel.panic': '1' }, {}],
    ['kernel/panic', { 'kernel/panic': '1' }, {}],
    ['net.ipv4.ip_forward', { 'net.ipv4.ip_forward': '1' }, { network: 'NODE' }],
    ['fs.mqueue.msg_max', { 'fs.mqueue.msg_max': '100' }, { ipc: 'NODE' }],
    ['net.../../vm/swappiness', { 'net.../../vm/swappiness': '1' }, {}],
  ])('%s, which would change the node, is refused by RunPodSandbox', async (name, sysctls, namespaces) => {
    await expect(podWith(sysctls, namespaces)).rejects.toMatchObject({ code: grpcStatus.INVALID_ARGUMENT, details: expect.stringContaining(name) });
  });

  test('names may be written with slashes, and a pod’s own go before the defaults', async () => {
    const made = await podWith({ 'net/ipv4/tcp_syncookies': '0', 'net.ipv4.ip_unprivileged_port_start': '1000' });
    expect(await say('cat /proc/sys/net/ipv4/tcp_syncookies /proc/sys/net/ipv4/ip_unprivileged_port_start', {}, made)).toBe('0\n1000\n');
    await suite.cri.removePod(made.id);
  });
});
