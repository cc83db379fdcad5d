import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { grpcStatus } from '../fixtures/cri.ts';
import type { ContainerConfig } from '../fixtures/cri-types.ts';
import { buildImage } from '../fixtures/images.ts';
import { layer } from '../fixtures/layer.ts';
import { dir, file } from '../fixtures/tar.ts';
import { CriSuite, waiting, type SuitePod } from './suite.ts';

let suite: CriSuite;
let pod: SuitePod;
let host: string;
const own = { network: 'POD', pid: 'CONTAINER', ipc: 'POD' };

beforeAll(async () => {
  suite = await CriSuite.start();
  pod = await suite.pod({ linux: { cgroup_parent: suite.node.scratch.cgroup, security_context: { privileged: true, namespace_options: own } } });
  host = join(suite.node.scratch.dir, 'volumes');
  mkdirSync(host);
});
afterEach(async () => {
  for (const { id } of await suite.cri.listContainers()) await suite.cri.removeContainer(id);
});
afterAll(async () => suite.close());

const withMount = (mount: object, over: Partial<ContainerConfig> = {}): Partial<ContainerConfig> => ({ mounts: [{ container_path: '/vol', host_path: host, ...mount }], ...over });
const run = async (id: string, command: string) => {
  const { stdout, stderr, exit_code: code } = await suite.cri.execSync(id, ['sh', '-c', command]);
  return { code, text: stdout.toString() + stderr.toString() };
};
/** Runs on the host as berthd sees it: it has a mount namespace of its own here. */
const onHost = (...command: string[]): void => {
  execFileSync('nsenter', ['-t', String(suite.node.namespace.pid), '--mount', '--', ...command]);
};

test('a directory of the host is seen in both directions', async () => {
  writeFileSync(join(host, 'from-host'), 'h');
  const id = await suite.run(pod, [...waiting], withMount({}));
  expect((await run(id, 'cat /vol/from-host; echo c > /vol/from-container')).text).toBe('h');
  expect(readFileSync(join(host, 'from-container'), 'utf8')).toBe('c\n');
});

test('a symbolic link and a single file may be mounted', async () => {
  symlinkSync(host, join(suite.node.scratch.dir, 'link'));
  writeFileSync(join(host, 'file'), 'content');
  const id = await suite.run(pod, [...waiting], {
    mounts: [
      { container_path: '/vol', host_path: join(suite.node.scratch.dir, 'link') },
      { container_path: '/etc/one-file', host_path: join(host, 'file') },
    ],
  });
  expect((await run(id, 'cat /vol/file /etc/one-file')).text).toBe('contentcontent');
});

test('a label of SELinux is asked for on every node, and means nothing on one without it', async ({ skip }) => {
  if (existsSync('/sys/fs/selinux/enforce')) skip('this machine has SELinux');
  const id = await suite.run(pod, [...waiting], withMount({ selinux_relabel: true }));
  expect((await suite.cri.containerStatus(id)).mounts[0]).toMatchObject({ selinux_relabel: true });
});

test('a path that is missing on the host is made', async () => {
  const path = join(host, 'made', 'deep');
  await suite.run(pod, [...waiting], withMount({ host_path: path }));
  for (const made of [path, join(path, '..')]) expect(statSync(made).mode & 0o7777).toBe(0o755);
});

test('read-only is read-only, and the status shows mounts as they were asked for', async () => {
  const id = await suite.run(pod, [...waiting], withMount({ readonly: true }));
  expect((await run(id, 'touch /vol/x')).text).toMatch(/Read-only file system/);
  expect((await suite.cri.containerStatus(id)).mounts).toEqual([
    expect.objectContaining({ container_path: '/vol', host_path: host, readonly: true, selinux_relabel: false, propagation: 'PROPAGATION_PRIVATE', image: null }),
  ]);
});

test('a mount over a path of the runtime replaces it', async () => {
  const hosts = join(host, 'hosts');
  writeFileSync(hosts, '10.0.0.1 kubelet\n');
  const id = await suite.run(pod, [...waiting], { mounts: [{ container_path: '/etc/hosts', host_path: hosts }] });
  expect((await run(id, 'cat /etc/hosts')).text).toBe('10.0.0.1 kubelet\n');
});

test.each([
  ['PROPAGATION_PRIVATE', false, false],
  ['PROPAGATION_HOST_TO_CONTAINER', true, false],
  ['PROPAGATION_BIDIRECTIONAL', true, true],
])('%s', async (propagation, into, out) => {
  const shared = join(host, propagation.toLowerCase());
  for (const name of ['', 'source', 'late', 'inner']) mkdirSync(join(shared, name));
  writeFileSync(join(shared, 'source', 'mark'), '');
  onHost('mount', '--bind', shared, shared);
  onHost('mount', '--make-shared', shared);
  const id = await suite.run(pod, [...waiting], withMount({ host_path: shared, propagation }, { linux: { security_context: { privileged: true, namespace_options: own } } }));
  onHost('mount', '--bind', join(shared, 'source'), join(shared, 'late'));
  expect((await run(id, 'test -e /vol/late/mark')).code === 0).toBe(into);
  expect((await run(id, 'mount -o bind /vol/source /vol/inner')).code).toBe(0);
  expect(existsSync(join('/proc', String(suite.node.namespace.pid), 'root', shared, 'inner', 'mark'))).toBe(out);
  await suite.cri.removeContainer(id);
  for (const name of ['inner', 'late']) execFileSync('nsenter', ['-t', String(suite.node.namespace.pid), '--mount', '--', 'sh', '-c', 'umount "$1" 2>/dev/null || true', 'sh', join(shared, name)]);
  onHost('umount', shared);
});

test('recursive_read_only is refused where the handler cannot do it', async ({ skip }) => {
  const { runtime_handlers: handlers } = await suite.cri.status();
  if (handlers.find(({ name }) => name === '')?.features?.['recursive_read_only_mounts'] === true) skip('the default OCI runtime can');
  // The kubelet knows the reason by its beginning.
  await expect(suite.create(pod, ['true'], withMount({ readonly: true, recursive_read_only: true }))).rejects.toMatchObject({ code: grpcStatus.INVALID_ARGUMENT, details: expect.stringMatching(/^RROUnsupported/) });
});

test('mount_options reach the mount, and the status tells them', async () => {
  expect((await suite.cri.call<{ features: unknown }>('Status')).features).toMatchObject({ mount_options: true });
  writeFileSync(join(host, 'script'), '#!/bin/sh\necho runs\n', { mode: 0o755 });
  const options = ['noexec', 'nosuid', 'nodev', 'noatime'];
  const id = await suite.run(pod, [...waiting], { mounts: [{ container_path: '/strict', host_path: host, mount_options: options }, { container_path: '/plain', host_path: host }] });
  expect((await run(id, '/plain/script; /strict/script')).text).toMatch(/^runs\n.*Permission denied/);
  expect((await run(id, `awk '$2=="/strict" {print $4}' /proc/mounts`)).text.trim().split(',')).toEqual(expect.arrayContaining(['rw', ...options]));
  expect((await suite.cri.containerStatus(id)).mounts[0]).toMatchObject({ mount_options: options });
});

test.each(['rw', 'rshared', 'uid=0', 'size=1g'])('the mount option %s, which other fields decide or no bind mount has, is refused', async (option) => {
  await expect(suite.create(pod, ['true'], withMount({ mount_options: [option] }))).rejects.toMatchObject({ code: grpcStatus.INVALID_ARGUMENT, details: expect.stringContaining(option) });
});

test("an image's volume is a directory of the container with the image's content", async () => {
  const { layers, ...base } = suite.images.busybox('volumes');
  const owned = layer([dir('owned', { uid: 33, gid: 34, mode: 0o1770 }), file('owned/file', 'x', { uid: 33, mode: 0o640 })]);
  const image = await suite.pull('volumes', buildImage({ label: 'volumes', layers: [...layers, owned], run: { Cmd: ['sh'], Env: ['PATH=/bin'], Volumes: { '/www': {}, '/owned': {}, '/not/there': {} } }, dialect: base.dialect }));
  const id = await suite.run(pod, [...waiting], { image: { image } });
  expect((await run(id, 'stat -c %u:%g:%a /owned /owned/file; ls -A /not/there; touch /not/there/x && echo made')).text).toBe('33:34:1770\n33:0:640\nmade\n');
  expect((await run(id, 'cat /www/index.html; echo x > /www/new; grep -c " /www " /proc/mounts')).text).toBe('berth fixture\n1\n');
});

test('devices of the host', async () => {
  const id = await suite.run(pod, [...waiting], { devices: [{ container_path: '/dev/my-null', host_path: '/dev/null', permissions: 'rwm' }] });
  expect((await run(id, 'stat -c %F /dev/my-null; echo x > /dev/my-null && echo ok')).text).toBe('character special file\nok\n');
  await expect(suite.create(pod, ['true'], { metadata: { name: 'x' }, devices: [{ container_path: '/dev/x', host_path: '/dev/nonesuch', permissions: 'rwm' }] })).rejects.toThrow(/nonesuch/);
});

test('an image can be mounted as a volume: read-only, runnable, by its id', async () => {
  const image = await suite.cri.imageStatus(suite.busybox);
  const volume = { host_path: '', image: { image: image?.id ?? '' }, readonly: true };
  const id = await suite.run(pod, [...waiting], withMount(volume));
  expect((await run(id, '/vol/bin/busybox echo runs')).text).toBe('runs\n');
  expect((await suite.cri.containerStatus(id)).mounts).toMatchObject([{ container_path: '/vol', host_path: '', image: { image_ref: image?.id } }]);
  expect((await run(id, 'touch /vol/x')).text).toMatch(/Read-only file system/);
  await expect(suite.create(pod, ['true'], { metadata: { name: 'rw' }, ...withMount({ ...volume, readonly: false }) })).rejects.toThrow();
  const part = await suite.run(pod, [...waiting], { metadata: { name: 'part' }, ...withMount({ ...volume, image_sub_path: 'etc' }) });
  expect((await run(part, 'head -n1 /vol/passwd')).text).toMatch(/^root:/);
});
