import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { grpcStatus } from '../fixtures/cri.ts';
import type { ContainerConfig } from '../fixtures/cri-types.ts';
import { buildImage } from '../fixtures/images.ts';
import { layer } from '../fixtures/layer.ts';
import { dir, file, symlink } from '../fixtures/tar.ts';
import { CriSuite, waiting, type SuitePod } from './suite.ts';

let suite: CriSuite;
let pod: SuitePod;
let privilegedPod: SuitePod;
let host: string;
const own = { network: 'POD', pid: 'CONTAINER', ipc: 'POD' };
const privileged = { security_context: { privileged: true, namespace_options: own } };
const refusal = (code: number, words: RegExp) => ({ code, details: expect.stringMatching(words) });

beforeAll(async () => {
  suite = await CriSuite.start({ containers: { device_ownership_from_security_context: true } });
  pod = await suite.pod();
  privilegedPod = await suite.pod({ linux: { cgroup_parent: suite.node.scratch.cgroup, ...privileged } });
  host = join(suite.node.scratch.dir, 'volumes');
  mkdirSync(host);
});
afterEach(async () => {
  for (const { id } of await suite.cri.listContainers()) await suite.cri.removeContainer(id);
});
afterAll(async () => suite.close());

const withMount = (mount: object): Partial<ContainerConfig> => ({ mounts: [{ container_path: '/vol', host_path: host, ...mount }] });
const say = async (id: string, command: string): Promise<string> => {
  const { stdout, stderr } = await suite.cri.execSync(id, ['sh', '-c', command]);
  return stdout.toString() + stderr.toString();
};
const run = async (over: Partial<ContainerConfig>, command: string, within = pod): Promise<string> => say(await suite.run(within, [...waiting], over), command);
/** Runs on the host as berthd sees it: it has a mount namespace of its own here. */
const onHost = (...command: string[]): void => {
  execFileSync('nsenter', ['-t', String(suite.node.namespace.pid), '--mount', '--', ...command]);
};

describe('where mounts lie', () => {
  test('a mount below another is seen, in whatever order they are asked for', async () => {
    for (const name of ['outer', 'inner']) mkdirSync(join(host, name));
    mkdirSync(join(host, 'outer/deep'));
    for (const name of ['outer', 'inner']) writeFileSync(join(host, name, name), name);
    const mounts = [{ container_path: '/a/deep', host_path: join(host, 'inner') }, { container_path: '/a/', host_path: join(host, 'outer') }];
    expect(await run({ mounts }, 'cat /a/outer /a/deep/inner')).toBe('outerinner');
  });

  test('a path in the container is made when its image lacks it, for a directory and for a file', async () => {
    writeFileSync(join(host, 'one'), 'file');
    const mounts = [{ container_path: '/no/such/place', host_path: host }, { container_path: '/no/file', host_path: join(host, 'one') }];
    expect(await run({ mounts }, 'cat /no/such/place/one /no/file')).toBe('filefile');
  });

  test('a mount over /dev replaces all that a container has there', async () => {
    const devices = join(host, 'dev');
    mkdirSync(devices);
    // Runtimes need one device themselves.
    execFileSync('mknod', ['-m', '666', join(devices, 'null'), 'c', '1', '3']);
    const mounts = [{ container_path: '/dev', host_path: devices }];
    expect(await run({ mounts, linux: privileged }, 'ls /dev; grep -cE " /dev/(pts|shm|mqueue) " /proc/mounts', privilegedPod)).toBe('null\n0\n');
  });

  test('shared memory, /dev and /proc are file systems of their own', async () => {
    expect(await run({}, 'awk \'$2=="/dev" || $2=="/dev/shm" || $2=="/proc" || $2=="/sys" || $2=="/dev/pts" || $2=="/dev/mqueue" {print $2, $3}\' /proc/mounts | sort')).toBe('/dev tmpfs\n/dev/mqueue mqueue\n/dev/pts devpts\n/dev/shm tmpfs\n/proc proc\n/sys sysfs\n');
  });

  test('a tmpfs of the host is mounted like any directory', async () => {
    const path = join(host, 'memory');
    mkdirSync(path);
    onHost('mount', '-t', 'tmpfs', 'tmpfs', path);
    expect(await run(withMount({ host_path: path }), 'awk \'$2=="/vol" {print $3}\' /proc/mounts')).toBe('tmpfs\n');
    onHost('umount', '-l', path);
  });
});

describe('host paths', () => {
  test('a chain of links is followed, and a link to nothing is refused by its path', async () => {
    mkdirSync(join(host, 'end'));
    writeFileSync(join(host, 'end/file'), 'end');
    symlinkSync('end', join(host, 'link1'));
    symlinkSync(join(host, 'link1'), join(host, 'link2'));
    expect(await run(withMount({ host_path: join(host, 'link2') }), 'cat /vol/file')).toBe('end');
    symlinkSync('/nonesuch/at/all', join(host, 'dangling'));
    await expect(suite.create(pod, ['true'], withMount({ host_path: join(host, 'dangling') }))).rejects.toMatchObject(refusal(grpcStatus.INVALID_ARGUMENT, /dangling/));
    expect(existsSync('/nonesuch')).toBe(false);
  });

  test.each<[string, object, RegExp]>([
    ['no host path', { host_path: '' }, /host path/],
    ['a relative one', { host_path: 'relative' }, /not absolute/],
    ['no container path', { container_path: '' }, /path in the container/],
    ['one through a file', { host_path: '/etc/passwd/x' }, /\/etc\/passwd\/x/],
    ['a sub path without an image', { image_sub_path: 'etc' }, /path in an image/],
    ['a propagation that is none', { propagation: 7 }, /propagation/],
  ])('%s is refused at CreateContainer', async (_what, mount, words) => {
    await expect(suite.create(pod, ['true'], withMount(mount))).rejects.toMatchObject(refusal(grpcStatus.INVALID_ARGUMENT, words));
  });
});

describe('propagation', () => {
  const place = (name: string, how: string): string => {
    const path = join(host, name);
    mkdirSync(path);
    onHost('mount', '--bind', path, path);
    onHost('mount', how, path);
    return path;
  };

  test.each(['PROPAGATION_HOST_TO_CONTAINER', 'PROPAGATION_BIDIRECTIONAL'])('%s is refused where the source is on a private mount', async (propagation) => {
    const path = place(`private-${propagation}`, '--make-private');
    await expect(suite.create(privilegedPod, ['true'], { ...withMount({ host_path: path, propagation }), linux: privileged })).rejects.toMatchObject(refusal(grpcStatus.FAILED_PRECONDITION, new RegExp(path)));
    onHost('umount', path);
  });

  test('a slave of the host can pass events on into a container, and not back', async () => {
    place('master', '--make-shared');
    const path = join(host, 'slave');
    mkdirSync(path);
    onHost('mount', '--bind', join(host, 'master'), path);
    onHost('mount', '--make-slave', path);
    const id = await suite.run(privilegedPod, [...waiting], { ...withMount({ host_path: path, propagation: 'PROPAGATION_HOST_TO_CONTAINER' }), linux: privileged });
    mkdirSync(join(host, 'master/late'));
    onHost('mount', '-t', 'tmpfs', 'tmpfs', join(host, 'master/late'));
    expect(await say(id, 'awk \'$2=="/vol/late" {print $3}\' /proc/mounts')).toBe('tmpfs\n');
    await expect(suite.create(privilegedPod, ['true'], { ...withMount({ host_path: path, propagation: 'PROPAGATION_BIDIRECTIONAL' }), linux: privileged })).rejects.toMatchObject(refusal(grpcStatus.FAILED_PRECONDITION, /shared mount/));
    await suite.cri.removeContainer(id);
    for (const mount of ['master/late', 'slave', 'master']) onHost('umount', join(host, mount));
  });
});

describe('devices', () => {
  const device = (host_path: string, container_path: string, permissions = 'rwm') => ({ devices: [{ host_path, container_path, permissions }] });
  const numbers = 'stat -c %t:%T';

  test('a link is followed, and the path in the container may be left out', async () => {
    symlinkSync('/dev/loop-control', join(host, 'a-device'));
    expect(await run(device(join(host, 'a-device'), '/dev/linked'), `${numbers} /dev/linked`)).toBe('a:ed\n');
    expect(await run(device('/dev/loop-control', ''), `${numbers} /dev/loop-control`)).toBe('a:ed\n');
  });

  test('a directory brings the devices below it', async () => {
    const below = join(host, 'below');
    mkdirSync(join(below, 'deep'), { recursive: true });
    for (const [path, minor] of [['one', '5'], ['deep/two', '7']] as const) execFileSync('mknod', [join(below, path), 'c', '1', minor]);
    writeFileSync(join(below, 'no-device'), '');
    expect(await run(device(below, '/dev/all'), `${numbers} /dev/all/one /dev/all/deep/two; ls /dev/all`)).toBe('1:5\n1:7\ndeep\none\n');
  });

  test('what LXC and udev keep among the devices for themselves is not passed on', async () => {
    for (const name of ['.lxc', '.lxd-mounts', '.udev']) {
      mkdirSync(join(host, 'nested', name), { recursive: true });
      execFileSync('mknod', [join(host, 'nested', name, 'inner'), 'c', '1', '5']);
    }
    execFileSync('mknod', [join(host, 'nested/outer'), 'c', '1', '5']);
    expect(await run(device(join(host, 'nested'), '/dev/nested'), 'ls -A /dev/nested')).toBe('outer\n');
  });

  test('permissions hold', async () => {
    expect(await run(device('/dev/loop-control', '/dev/d', 'r'), ': < /dev/d && echo read; : > /dev/d')).toMatch(/^read\n.*not permitted/);
    expect(await run(device('/dev/loop-control', '/dev/d', 'w'), ': > /dev/d && echo written; : < /dev/d')).toMatch(/^written\n.*not permitted/);
    expect(await run(device('/dev/loop-control', '/dev/d', ''), ': < /dev/d && : > /dev/d && echo both')).toBe('both\n');
  });

  test('a device that is not asked for cannot be made and used', async () => {
    expect(await run({}, 'mknod /tmp/d c 10 237 && : < /tmp/d')).toMatch(/not permitted/);
  });

  test.skipIf(!existsSync('/dev/net/tun'))('who has NET_ADMIN may open /dev/net/tun, mounted or made, as manifests of tunnels expect', async () => {
    const mounts = [{ container_path: '/dev/net/tun', host_path: '/dev/net/tun' }];
    const linux = { security_context: { namespace_options: own, capabilities: { add_capabilities: ['NET_ADMIN', 'MKNOD'], drop_capabilities: ['ALL'] } } };
    expect(await run({ mounts, linux }, ': < /dev/net/tun && echo mounted; mknod /tmp/tun c 10 200 && : < /tmp/tun && echo made')).toBe('mounted\nmade\n');
  });

  test.each<[string, object, RegExp]>([
    ['wrong permissions', device('/dev/null', '/dev/n', 'x'), /permissions "x"/],
    ['a file', device('/etc/passwd', '/dev/n'), /not a device/],
  ])('%s are refused at CreateContainer', async (_what, over, words) => {
    await expect(suite.create(pod, ['true'], over)).rejects.toMatchObject(refusal(grpcStatus.INVALID_ARGUMENT, words));
  });

  test('devices belong to the user of the request where that is configured', async () => {
    const over = { ...device('/dev/loop-control', '/dev/mine'), linux: { security_context: { namespace_options: own, run_as_user: { value: '1001' }, run_as_group: { value: '1002' } } } };
    expect(await run(over, 'stat -c %u:%g /dev/mine; : < /dev/mine && echo mine')).toBe('1001:1002\nmine\n');
    expect(await run({ ...device('/dev/loop-control', '/dev/host') }, 'stat -c %u:%g /dev/host')).toBe('0:0\n');
  });

  test('a privileged container has the node’s devices and those that are asked for under another name', async () => {
    expect(await run({ ...device('/dev/loop-control', '/dev/other'), linux: privileged }, `${numbers} /dev/other /dev/loop-control`, privilegedPod)).toBe('a:ed\na:ed\n');
  });
});

describe('image volumes', () => {
  let tree: string;
  beforeAll(async () => {
    const entries = [dir('data'), file('data/real', 'real\n'), symlink('inside', 'data'), symlink('absolute', '/data'), symlink('escape', '../../../../../../data'), symlink('passwd', '/etc/passwd'), symlink('loop', 'loop')];
    tree = await suite.pull('tree', buildImage({ label: 'tree', layers: [layer(entries)] }));
  });
  const volume = (over: object = {}) => withMount({ host_path: '', image: { image: tree }, readonly: true, ...over });

  test.each(['data', 'data/', './data', 'inside', 'absolute', 'escape'])('the sub path %s is found within the image', async (path) => {
    expect(await run(volume({ image_sub_path: path }), 'cat /vol/real')).toBe('real\n');
  });

  test.each(['nonesuch', 'data/real', 'passwd', 'loop', '/', '/data', '..', '../../data', 'data/..', 'data/../inside'])('the sub path %s, which is no directory below the root of the image, is refused', async (path) => {
    await expect(suite.create(pod, ['true'], volume({ image_sub_path: path }))).rejects.toMatchObject(refusal(grpcStatus.INVALID_ARGUMENT, /^ImageVolumeMountFailed: /));
  });

  test.each<[string, object, number, RegExp]>([
    ['a host path as well', { host_path: '/tmp' }, grpcStatus.INVALID_ARGUMENT, /^ImageVolumeMountFailed: .*host path/],
    ['writable', { readonly: false }, grpcStatus.INVALID_ARGUMENT, /^ImageVolumeMountFailed: .*read-only/],
    ['an image that is not here', { image: { image: 'registry.test/none:1' } }, grpcStatus.NOT_FOUND, /^ImageVolumeMountFailed: .*none:1/],
  ])('%s is refused at CreateContainer', async (_what, over, code, words) => {
    await expect(suite.create(pod, ['true'], volume(over))).rejects.toMatchObject(refusal(code, words));
  });

  test('is mounted once for a pod’s containers, keeps running without its image, and goes when the pod stops', async () => {
    const image = await suite.cri.imageStatus(tree);
    const sharing = await suite.pod();
    const ids = [await suite.run(sharing, [...waiting], volume()), await suite.run(sharing, [...waiting], volume({ image: { image: image?.id ?? '' } }))];
    const mounted = (): number => suite.node.namespace.mounts().filter(({ path }) => path.includes(`/pods/${sharing.id}/images/`)).length;
    expect(mounted()).toBe(1);
    for (const id of ids) {
      expect(await say(id, 'cat /vol/data/real')).toBe('real\n');
      expect((await suite.cri.containerStatus(id)).mounts).toMatchObject([{ image: { image_ref: image?.id } }]);
    }
    await suite.cri.removeImage(tree);
    expect(await say(ids[0] ?? '', 'cat /vol/data/real')).toBe('real\n');
    await suite.cri.stopPod(sharing.id);
    expect(mounted()).toBe(0);
    await suite.cri.removePod(sharing.id);
    await suite.cri.pullImage(tree);
  });
});
