import { mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { grpcStatus } from '../fixtures/cri.ts';
import type { ContainerConfig, PodConfig } from '../fixtures/cri-types.ts';
import { noHoldings } from '../fixtures/leaks.ts';
import { modernRuntime, noModernRuntime } from './modern-runtime.ts';
import { CriSuite, waiting, type SuitePod } from './suite.ts';

const base = 200_000;
const map = { host_id: base, container_id: 0, length: 65_536 };
const mapped = { mode: 'POD', uids: [map], gids: [map] };
const own = { network: 'POD', pid: 'CONTAINER', ipc: 'POD' };

describe.skipIf(noModernRuntime !== undefined)('pods with a user namespace', () => {
  let suite: CriSuite;
  let specs: string;

  beforeAll(async () => {
    specs = mkdtempSync(join(tmpdir(), 'berth-cdi-'));
    suite = await CriSuite.start({ ...(await modernRuntime()), containers: { cdi_spec_dirs: [specs] } });
  }, 300_000);
  afterEach(async () => {
    await suite.node.removePods();
    expect(await suite.node.leaks()).toEqual(noHoldings);
  });
  afterAll(async () => {
    await suite.close();
    rmSync(specs, { recursive: true });
  });

  const podWith = async (options: object = {}, over: Partial<PodConfig> = {}, handler = ''): Promise<SuitePod> =>
    suite.pod({ ...over, linux: { cgroup_parent: suite.node.scratch.cgroup, security_context: { namespace_options: { ...own, userns_options: mapped, ...options } } } }, handler);
  const inUserns = (context: object = {}): Partial<ContainerConfig> => ({
    linux: { security_context: { namespace_options: { ...own, userns_options: mapped }, seccomp: { profile_type: 'RuntimeDefault' }, ...context } },
  });
  const say = async (id: string, command: string): Promise<string> => {
    const { stdout, stderr } = await suite.cri.execSync(id, ['sh', '-c', command]);
    return stdout.toString() + stderr.toString();
  };

  test('the handler says that it can', async () => {
    const { runtime_handlers: handlers } = await suite.cri.status();
    expect(handlers.find(({ name }) => name === '')?.features).toMatchObject({ user_namespaces: true, recursive_read_only_mounts: true });
    expect(handlers.find(({ name }) => name === 'crun')?.features).toMatchObject({ user_namespaces: false });
  });

  test('ids are mapped for the process, an exec and the image’s files, and the host sees the mapped ones', async () => {
    const pod = await podWith();
    const id = await suite.run(pod, ['sleep', '1000'], inUserns({ run_as_user: { value: '33' } }));
    expect((await say(id, 'cat /proc/self/uid_map /proc/self/gid_map')).trim().split(/\s+/)).toEqual(['0', `${base}`, '65536', '0', `${base}`, '65536']);
    expect(await say(id, 'id -u; stat -c %u:%g /bin/busybox /etc/passwd')).toBe('33\n0:0\n0:0\n');
    const { info } = await suite.cri.call<{ info: Record<string, string> }>('ContainerStatus', { container_id: id, verbose: true });
    const { pid } = JSON.parse(info['info'] ?? '') as { pid: number };
    expect(readFileSync(`/proc/${pid}/status`, 'utf8')).toMatch(new RegExp(`^Uid:\\s+${base + 33}\\s`, 'm'));
    expect((await suite.cri.podStatus(pod.id)).linux?.namespaces?.options).toMatchObject({ userns_options: { mode: 'POD', uids: [map], gids: [map] } });
  });

  test('root of the container writes its layer, shared memory and an image’s volume as itself', async () => {
    const image = await suite.pull('userns-volumes', suite.images.busybox('userns-volumes', { Volumes: { '/www': {} } }));
    const id = await suite.run(await podWith(), [...waiting], { image: { image }, ...inUserns() });
    expect(await say(id, 'for d in / /dev/shm /www /tmp; do echo x > $d/new && stat -c %u:%g $d/new; done; cat /www/index.html; hostname; cat /etc/hostname')).toBe('0:0\n0:0\n0:0\n0:0\nberth fixture\npod\npod\n');
  });

  test('a mount with mappings shows and takes files as the container’s users, one without does not', async () => {
    const volume = join(suite.node.scratch.dir, 'userns-volume');
    mkdirSync(volume);
    writeFileSync(join(volume, 'of-root'), 'r');
    const mounts = [
      { container_path: '/mapped', host_path: volume, uidMappings: [map], gidMappings: [map] },
      { container_path: '/plain', host_path: volume },
    ];
    const id = await suite.run(await podWith(), [...waiting], { mounts, ...inUserns() });
    expect(await say(id, 'stat -c %u:%g /mapped/of-root; echo x > /mapped/new && stat -c %u:%g /mapped/new; stat -c %u:%g /plain/of-root')).toBe('0:0\n0:0\n65534:65534\n');
    expect(statSync(join(volume, 'new'))).toMatchObject({ uid: 0, gid: 0 });
    expect((await suite.cri.containerStatus(id)).mounts[0]).toMatchObject({ uidMappings: [map], gidMappings: [map] });
  });

  test('what a CDI device binds is the container’s users’ too', async () => {
    const library = join(suite.node.scratch.dir, 'userns-library');
    mkdirSync(library);
    const mounts = [{ hostPath: library, containerPath: '/usr/lib/acme' }];
    writeFileSync(join(specs, 'acme.json'), JSON.stringify({ cdiVersion: '0.6.0', kind: 'acme.example/gpu', devices: [{ name: '0', containerEdits: { mounts } }] }));
    const id = await suite.run(await podWith(), [...waiting], { CDI_devices: [{ name: 'acme.example/gpu=0' }], ...inUserns() });
    expect(await say(id, 'stat -c %u:%g /usr/lib/acme; echo x > /usr/lib/acme/new && stat -c %u:%g /usr/lib/acme/new')).toBe('0:0\n0:0\n');
  });

  test('an image can be mounted as a volume there too', async () => {
    // The kubelet gives all mounts of such a pod the pod's mappings.
    const volume = { container_path: '/vol', host_path: '', image: { image: suite.busybox }, readonly: true, uidMappings: [map], gidMappings: [map] };
    const id = await suite.run(await podWith(), [...waiting], { mounts: [volume, { ...volume, container_path: '/etc-of', image_sub_path: 'etc' }], ...inUserns() });
    expect(await say(id, '/vol/bin/busybox echo runs; stat -c %u:%g /vol /vol/bin/busybox /etc-of/passwd; touch /vol/x')).toMatch(/^runs\n0:0\n0:0\n0:0\ntouch: .*Read-only file system/);
    expect((await suite.cri.containerStatus(id)).mounts[0]).toMatchObject({ uidMappings: [map], gidMappings: [map], image: { image: suite.busybox } });
  });

  test('the network, its sysctls and pid namespaces are the user namespace’s own', async () => {
    const pod = await podWith({ pid: 'POD' });
    const id = await suite.run(pod, [...waiting], inUserns({ namespace_options: { ...own, pid: 'POD', userns_options: mapped }, capabilities: { add_capabilities: ['NET_ADMIN'] } }));
    expect(await say(id, 'ip addr add 192.0.2.77/32 dev lo && echo made; cat /proc/sys/net/ipv4/ip_unprivileged_port_start; [ $$ -ne 1 ] && echo shared')).toBe('made\n0\nshared\n');
  });

  test('on the host’s network too', async () => {
    const pod = await podWith({ network: 'NODE' });
    const id = await suite.run(pod, [...waiting], inUserns({ namespace_options: { ...own, network: 'NODE', userns_options: mapped } }));
    expect(await say(id, 'readlink /proc/self/ns/net')).toBe(`${readlinkSync(`/proc/${suite.node.pid}/ns/net`)}\n`);
    expect(await say(id, 'ip addr add 192.0.2.77/32 dev lo')).toMatch(/not permitted/);
    // It is the node's, since a sysfs of its own needs a network of its own; but for the container's directory of cgroups.
    expect(await say(id, 'grep " /sys" /proc/mounts | grep -v "^tmpfs /sys/fs/cgroup " | grep -c " rw"; echo x > /sys/kernel/mm/transparent_hugepage/enabled')).toMatch(/^0\n.*(Read-only|Permission denied)/);
  });

  test('a privileged container is root of its namespace alone', async () => {
    const options = { namespace_options: { ...own, userns_options: mapped }, privileged: true };
    const pod = await suite.pod({ linux: { cgroup_parent: suite.node.scratch.cgroup, security_context: options } });
    const id = await suite.run(pod, [...waiting], { linux: { security_context: options } });
    expect(await say(id, 'mkdir /m && mount -t tmpfs tmpfs /m && echo mounted; echo 1 > /proc/sys/vm/swappiness')).toMatch(/^mounted\n.*(Permission denied|Read-only)/);
  });

  test.each<[string, object]>([
    ['the node’s', { mode: 'NODE' }],
    ['another one', { mode: 'POD', uids: [{ ...map, host_id: 900_000 }], gids: [{ ...map, host_id: 900_000 }] }],
  ])('a container that asks for %s is refused', async (_what, userns) => {
    const pod = await podWith();
    await expect(suite.create(pod, ['true'], inUserns({ namespace_options: { ...own, userns_options: userns } }))).rejects.toMatchObject({ code: grpcStatus.INVALID_ARGUMENT });
  });

  test('a container that asks for nothing is in its pod’s, and none may leave it for the node’s processes', async () => {
    const pod = await podWith();
    const id = await suite.run(pod, [...waiting], { linux: { security_context: { namespace_options: own } } });
    expect((await say(id, 'cat /proc/self/uid_map')).trim().split(/\s+/)).toEqual(['0', `${base}`, '65536']);
    await expect(suite.create(pod, ['true'], inUserns({ namespace_options: { ...own, pid: 'NODE' } }))).rejects.toMatchObject({ code: grpcStatus.INVALID_ARGUMENT });
  });

  test.each(['ipc', 'pid'])('the node’s %s namespace does not go with a user namespace', async (kind) => {
    await expect(podWith({ [kind]: 'NODE' })).rejects.toMatchObject({ code: grpcStatus.INVALID_ARGUMENT });
  });

  test('a handler that cannot is refused by name, for the pod and for a mapped mount', async () => {
    await expect(podWith({}, {}, 'crun')).rejects.toMatchObject({ code: grpcStatus.FAILED_PRECONDITION, details: expect.stringContaining('crun') });
    const plain = await suite.pod({}, 'crun');
    const mounts = [{ container_path: '/mapped', host_path: suite.node.scratch.dir, uidMappings: [map], gidMappings: [map] }];
    await expect(suite.create(plain, ['true'], { mounts })).rejects.toMatchObject({ code: grpcStatus.FAILED_PRECONDITION, details: expect.stringContaining('/mapped') });
  });
});
