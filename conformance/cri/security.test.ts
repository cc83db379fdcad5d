import { mkdirSync, writeFileSync } from 'node:fs';
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

/** Runs a command as a container and returns what it said. */
async function say(command: string, context: object, over: Partial<ContainerConfig> = {}): Promise<string> {
  const { log_path: path } = await suite.finish(pod, ['sh', '-c', command], { ...over, ...secured(context) });
  const lines = readLog(path);
  return textOf(lines) + textOf(lines, 'stderr');
}

const capabilityOf = (status: string, set: string): bigint => BigInt(`0x${new RegExp(`^${set}:\\s*([0-9a-f]+)`, 'm').exec(status)?.[1] ?? '0'}`);
const netAdmin = 1n << 12n;
const netRaw = 1n << 13n;

describe('users', () => {
  test('run_as_user, run_as_group and names of the image', async () => {
    expect(await say('id -u', { run_as_user: { value: '1001' } })).toBe('1001\n');
    expect(await say('id -u; id -g', { run_as_user: { value: '1001' }, run_as_group: { value: '1002' } })).toBe('1001\n1002\n');
    expect(await say('id -nu', { run_as_username: 'nobody' })).toBe('nobody\n');
  });

  test('the name goes before the number, and both before the image', async () => {
    const image = await suite.pull('as-user', suite.images.busybox('as-user', { User: '33:33' }));
    expect(await say('id -u; id -g', {}, { image: { image } })).toBe('33\n33\n');
    // The image's group goes with the image's user alone.
    expect(await say('id -u; id -g', { run_as_user: { value: '7' } }, { image: { image } })).toBe('7\n0\n');
    expect(await say('id -u; id -g', { run_as_username: 'nobody' }, { image: { image } })).toBe('65534\n65534\n');
  });

  test('a number is an id, also in an image that calls root so', async () => {
    const image = await suite.pull('numeric-root', suite.images.numericRoot());
    for (const context of [{}, { run_as_user: { value: '1000' }, run_as_group: { value: '1000' } }]) expect(await say('id -u; id -g', context, { image: { image } })).toBe('1000\n1000\n');
  });

  test('a group alone, an unknown name and an unknown policy are refused at CreateContainer', async () => {
    for (const context of [{ run_as_group: { value: '1000' } }, { run_as_username: 'nonesuch' }, { supplemental_groups_policy: 9, run_as_user: { value: '1' } }]) {
      await expect(suite.create(pod, ['true'], secured(context)), JSON.stringify(context)).rejects.toThrow();
    }
    expect(await suite.cri.listContainers()).toEqual([]);
  });

  test.each([
    ['Merge', ['1000', '1234', '50000']],
    ['Strict', ['1000', '1234']],
  ])('supplemental groups with policy %s', async (policy, groups) => {
    const image = await suite.pull('groups', suite.images.predefinedGroup());
    const context = { run_as_user: { value: '1000' }, supplemental_groups: ['1234'], supplemental_groups_policy: policy };
    const id = await suite.run(pod, [...waiting], { image: { image }, ...secured(context) });
    const { user } = await suite.cri.containerStatus(id);
    expect(user?.linux).toMatchObject({ uid: '1000', gid: '1000' });
    expect(user?.linux?.supplemental_groups.toSorted()).toEqual(groups);
    expect((await suite.cri.execSync(id, ['id', '-G'])).stdout.toString().trim().split(' ').toSorted()).toEqual(groups);
  });
});

describe('capabilities', () => {
  test('the default set has NET_RAW and not NET_ADMIN; both can be changed', async () => {
    const bounding = async (capabilities: object | null) => capabilityOf(await say('cat /proc/self/status', { capabilities }), 'CapBnd');
    expect([(await bounding(null)) & netAdmin, (await bounding(null)) & netRaw]).toEqual([0n, netRaw]);
    expect((await bounding({ add_capabilities: ['NET_ADMIN'] })) & netAdmin).toBe(netAdmin);
    expect((await bounding({ drop_capabilities: ['NET_RAW'] })) & netRaw).toBe(0n);
    expect(await bounding({ drop_capabilities: ['ALL'] })).toBe(0n);
    expect((await bounding({ add_capabilities: ['ALL'] })) & netAdmin).toBe(netAdmin);
    expect(await bounding({ add_capabilities: ['NET_ADMIN'], drop_capabilities: ['ALL'] })).toBe(netAdmin);
  });

  test("a command that is executed has the container's capabilities, no more", async () => {
    const id = await suite.run(pod, [...waiting], secured({ capabilities: { drop_capabilities: ['ALL'] } }));
    expect(capabilityOf((await suite.cri.execSync(id, ['cat', '/proc/self/status'])).stdout.toString(), 'CapBnd')).toBe(0n);
  });

  test('a command that is executed may do what was added, and not what was not', async () => {
    const address = ['ip', 'address', 'add', '192.0.2.99/32', 'dev', 'lo'];
    const plain = await suite.run(pod, [...waiting], { metadata: { name: 'plain' }, ...secured({}) });
    expect((await suite.cri.execSync(plain, address)).stderr.toString()).toMatch(/not permitted/);
    const added = await suite.run(pod, [...waiting], { metadata: { name: 'added' }, ...secured({ capabilities: { add_capabilities: ['NET_ADMIN'] } }) });
    expect((await suite.cri.execSync(added, address)).exit_code).toBe(0);
  });

  test('an unknown capability is refused', async () => {
    await expect(suite.create(pod, ['true'], secured({ capabilities: { add_capabilities: ['NONESUCH'] } }))).rejects.toThrow(/NONESUCH/);
  });
});

describe('privileged', () => {
  test('a privileged container has devices, capabilities and a writable /sys', async () => {
    const id = await suite.run(privilegedPod, [...waiting], secured({ privileged: true }));
    const { stdout } = await suite.cri.execSync(id, ['sh', '-c', 'ls /dev | wc -l; awk \'$2=="/sys" {print $4}\' /proc/mounts | cut -c1-2; cat /proc/self/status']);
    const [devices = '', sys] = stdout.toString().split('\n');
    expect(Number(devices)).toBeGreaterThan(20);
    expect(sys).toBe('rw');
    expect(capabilityOf(stdout.toString(), 'CapEff') & netAdmin).toBe(netAdmin);
    expect(stdout.toString()).toMatch(/^Seccomp:\s*0$/m);
  });

  test('it may use every device and change cgroups, which others may not', async () => {
    const command = 'mknod /tmp/d c 10 237 && (: < /tmp/d) && echo device; mkdir /sys/fs/cgroup/memory/mine && rmdir /sys/fs/cgroup/memory/mine && echo cgroup';
    const privileged = await suite.run(privilegedPod, [...waiting], secured({ privileged: true }));
    const plain = await suite.run(pod, [...waiting], { metadata: { name: 'plain' } });
    const said = async (id: string) => (await suite.cri.execSync(id, ['sh', '-c', command])).stdout.toString();
    expect(await said(privileged)).toBe('device\ncgroup\n');
    expect(await said(plain)).toBe('');
  });

  test('none may run in a pod that is not', async () => {
    await expect(suite.create(pod, ['true'], secured({ privileged: true }))).rejects.toThrow(/privileged/);
  });
});

describe('root file system and paths', () => {
  test('readonly_rootfs', async () => {
    expect(await say('touch /x', { readonly_rootfs: true })).toMatch(/Read-only file system/);
    expect(await say('touch /x && echo ok', { readonly_rootfs: false })).toBe('ok\n');
  });

  test('masked and readonly paths replace the defaults', async () => {
    const image = await suite.pull('dynamic', suite.images.dynamicBusybox());
    expect(await say('ls', { masked_paths: ['/bin/ls'] }, { image: { image } })).toMatch(/ls: Permission denied\n$/);
    expect(await say('touch /tmp/x', { readonly_paths: ['/tmp'] })).toMatch(/Read-only file system/);
    expect(await say('wc -c < /proc/timer_list', { masked_paths: ['/proc/timer_list'] })).toBe('0\n');
  });
});

describe('no_new_privs', () => {
  test.each([
    [true, 1000],
    [false, 0],
  ])('%s: a set-uid program runs as %d', async (flag, uid) => {
    const image = await suite.pull('nnp', suite.images.noNewPrivileges());
    const id = await suite.run(pod, [], { image: { image }, ...secured({ run_as_user: { value: '1000' }, no_new_privs: flag }) });
    const { log_path: path } = await suite.reaches(id, 'CONTAINER_EXITED');
    expect(textOf(readLog(path))).toBe(`Effective uid: ${uid}\n`);
  });
});

describe('seccomp', () => {
  const mode = async (seccomp: object | null) => /^Seccomp:\s*(\d)/m.exec(await say('cat /proc/self/status', { seccomp }))?.[1];

  test('RuntimeDefault filters; Unconfined and none at all do not', async () => {
    expect(await mode({ profile_type: 'RuntimeDefault' })).toBe('2');
    expect(await mode({ profile_type: 'Unconfined' })).toBe('0');
    expect(await mode(null)).toBe('0');
  });

  test('a local profile is applied, and one that is absent is refused', async () => {
    const directory = join(suite.node.scratch.dir, 'seccomp');
    mkdirSync(directory, { recursive: true });
    const path = join(directory, 'no-chmod.json');
    writeFileSync(path, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['chmod', 'fchmod', 'fchmodat', 'fchmodat2'], action: 'SCMP_ACT_ERRNO' }] }));
    const seccomp = { profile_type: 'Localhost', localhost_ref: path };
    expect(await say('chmod 700 /tmp', { seccomp })).toMatch(/Operation not permitted/);
    await expect(suite.create(pod, ['true'], secured({ seccomp: { ...seccomp, localhost_ref: `${path}.none` } }))).rejects.toThrow(/no-chmod\.json\.none/);
  });

  test('the default profile lets through what a capability allows, a local one need not', async () => {
    const rename = 'hostname renamed && hostname';
    const admin = { capabilities: { add_capabilities: ['SYS_ADMIN'] } };
    const path = join(suite.node.scratch.dir, 'no-hostname.json');
    writeFileSync(path, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['sethostname'], action: 'SCMP_ACT_ERRNO' }] }));
    expect(await say(rename, { ...admin, seccomp: { profile_type: 'Localhost', localhost_ref: path } })).toMatch(/not permitted/);
    expect(await say(rename, { seccomp: { profile_type: 'RuntimeDefault' } })).toMatch(/not permitted/);
    expect(await say(rename, { ...admin, seccomp: { profile_type: 'RuntimeDefault' } })).toBe('renamed\n');
  });

  test('a privileged container ignores its profile', async () => {
    const id = await suite.run(privilegedPod, [...waiting], secured({ privileged: true, seccomp: { profile_type: 'RuntimeDefault' } }));
    expect((await suite.cri.execSync(id, ['cat', '/proc/self/status'])).stdout.toString()).toMatch(/^Seccomp:\s*0$/m);
  });
});

describe('namespaces', () => {
  test('a container with its own processes is pid 1; on the host it is not', async () => {
    expect(await say('echo $$', { namespace_options: { ...own, pid: 'CONTAINER' } })).toBe('1\n');
    expect(await say('echo $$', { namespace_options: { ...own, pid: 'NODE' } })).not.toBe('1\n');
  });

  test('TARGET joins the processes of another container of the pod that runs', async () => {
    const target = await suite.run(pod, ['sleep', '1234'], { metadata: { name: 'target' } });
    const joining = secured({ namespace_options: { ...own, pid: 'TARGET', target_id: target } });
    const id = await suite.run(pod, [...waiting], { metadata: { name: 'joins' }, ...joining });
    expect((await suite.cri.execSync(id, ['ps', '-o', 'pid,args'])).stdout.toString()).toMatch(/^\s*1 sleep 1234$/m);
    const elsewhere = secured({ namespace_options: { ...own, pid: 'TARGET', target_id: 'f'.repeat(64) } });
    await expect(suite.create(pod, ['true'], { metadata: { name: 'x' }, ...elsewhere })).rejects.toThrow();
  });

  test('containers of a pod share IPC', async () => {
    const a = await suite.run(pod, [...waiting], { metadata: { name: 'a' } });
    const b = await suite.run(pod, [...waiting], { metadata: { name: 'b' } });
    const ns = async (id: string, kind: string) => (await suite.cri.execSync(id, ['readlink', `/proc/self/ns/${kind}`])).stdout.toString();
    for (const kind of ['ipc', 'net', 'uts']) expect(await ns(a, kind), kind).toBe(await ns(b, kind));
    for (const kind of ['mnt', 'pid']) expect(await ns(a, kind), kind).not.toBe(await ns(b, kind));
    await suite.cri.execSync(a, ['sh', '-c', 'echo shared > /dev/shm/x']);
    expect((await suite.cri.execSync(b, ['cat', '/dev/shm/x'])).stdout.toString()).toBe('shared\n');
  });
});

describe('user namespaces', () => {
  const map = (host: number, container = 0) => ({ host_id: host, container_id: container, length: 65_536 });
  const within = (userns: object) => ({ linux: { cgroup_parent: suite.node.scratch.cgroup, security_context: { namespace_options: { ...own, userns_options: userns } } } });

  const podOf = (userns: object) => ({ metadata: { name: 'userns', namespace: 'default', uid: 'userns', attempt: 0 }, ...within(userns) });
  const mapped = { mode: 'POD', uids: [map(100_000)], gids: [map(100_000)] };
  const supported = async () => (await suite.cri.status()).runtime_handlers.find(({ name }) => name === '')?.features?.['user_namespaces'];

  test('POD is refused at RunPodSandbox where the handler cannot do it', async ({ skip }) => {
    if ((await supported()) === true) skip('the default OCI runtime can');
    await expect(suite.pod(podOf(mapped))).rejects.toMatchObject({ code: grpcStatus.FAILED_PRECONDITION, details: expect.stringMatching(/user namespace/) });
  });

  test.each<[string, object]>([
    ['two mappings', { mode: 'POD', uids: [map(100_000), map(300_000, 65_536)], gids: [map(100_000), map(300_000, 65_536)] }],
    ['an empty mapping', { mode: 'POD', uids: [{ ...map(100_000), length: 0 }], gids: [{ ...map(100_000), length: 0 }] }],
    ['no mapping', { mode: 'POD', uids: [], gids: [] }],
    ['different mappings of users and groups', { mode: 'POD', uids: [map(100_000)], gids: [map(200_000)] }],
    ['root not mapped', { mode: 'POD', uids: [map(100_000, 1)], gids: [map(100_000, 1)] }],
    ['mode CONTAINER', { mode: 'CONTAINER', uids: [map(100_000)], gids: [map(100_000)] }],
    ['mode TARGET', { mode: 'TARGET', uids: [map(100_000)], gids: [map(100_000)] }],
    ['mappings with mode NODE', { mode: 'NODE', uids: [map(100_000)], gids: [map(100_000)] }],
  ])('%s is refused by RunPodSandbox', async (_what, userns) => {
    await expect(suite.pod({ metadata: { name: 'bad', namespace: 'default', uid: 'bad', attempt: 0 }, ...within(userns) })).rejects.toMatchObject({ code: grpcStatus.INVALID_ARGUMENT });
  });
});
