import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { BerthError } from '../../lib/errors.ts';
import type { OciSpec } from '../../oci/spec/types.ts';
import type { RunningEngine } from '../engine.ts';
import type { Container, ContainerConfig, ContainerMount } from '../model/container.ts';
import type { Pod } from '../model/pod.ts';
import type { NamespaceOptions } from '../model/security.ts';
import { containerConfig, kubeNamespaces, noResources, podConfig, security } from '../testing/configs.ts';
import { fakeImage } from '../testing/fake-images.ts';
import type { FakeShim } from '../testing/fake-shims.ts';
import { World } from '../testing/world.ts';

const signal = (): AbortSignal => AbortSignal.timeout(15_000);
const all = { id: '', podId: '', state: undefined, labels: {} } as const;
const mount: ContainerMount = {
  containerPath: '/data', hostPath: '', readonly: false, recursiveReadOnly: false, selinuxRelabel: false, propagation: 'private', uidMappings: [], gidMappings: [], image: '', imageSubPath: '',
};

let world: World;
let engine: RunningEngine;
let pod: Pod;

beforeEach(async () => {
  world = new World();
  engine = world.engine();
  pod = await engine.pods.run(podConfig('web', { logDirectory: join(world.root, 'logs') }), signal());
});

afterEach(async () => {
  await world.close();
});

const create = (change: Partial<ContainerConfig> = {}): Promise<Container> => engine.containers.create(pod.id, containerConfig('app', change), signal());
const inNamespaces = (change: Partial<NamespaceOptions>) => ({ security: security({ namespaces: { ...kubeNamespaces, ...change } }) });

async function running(change: Partial<ContainerConfig> = {}): Promise<string> {
  const { id } = await create(change);
  await engine.containers.start(id, signal());
  return id;
}

function specOf(id: string): OciSpec {
  return JSON.parse(readFileSync(join(world.config.runRoot, 'containers', id, 'config.json'), 'utf8')) as OciSpec;
}

const exited = (id: string): Promise<void> =>
  vi.waitFor(() => {
    expect(engine.containers.get(id).state).toBe('exited');
  });

test('create makes a snapshot and a bundle but no process', async () => {
  const container = await create({ envs: [{ key: 'B', value: '2' }], logPath: 'app/0.log' });
  expect(container).toMatchObject({ state: 'created', stopSignal: 'SIGTERM', logPath: join(world.root, 'logs/app/0.log'), user: { uid: 0, gid: 0, groups: [0] } });
  expect(container.imageRef).toContain('registry.test/app@sha256:');
  expect(world.shims.shims.size).toBe(0);
  expect(specOf(container.id)).toMatchObject({ process: { args: ['sh'], cwd: '/' }, linux: { cgroupsPath: `/berth/${container.id}` } });
  expect(specOf(container.id).process.env).toContain('HOSTNAME=web');
  expect(container.waterfall.map(({ name }) => name)).toEqual(['image', 'snapshot', 'accounts', 'volumes', 'mounts', 'spec', 'bundle']);
});

test('the user is looked up in the image, and its account files are read once', async () => {
  const read = vi.spyOn(world.agent, 'readSnapshotFiles');
  const a = await create({ security: security({ runAsUser: 1000, supplementalGroups: [1234] }) });
  const b = await create({ attempt: 1, security: security({ runAsUsername: 'web', supplementalGroupsPolicy: 'strict' }) });
  expect(a.user).toEqual({ uid: 1000, gid: 1000, groups: [1000, 1234, 50_000] });
  expect(b.user).toEqual({ uid: 1000, gid: 1000, groups: [1000] });
  expect(read).toHaveBeenCalledTimes(1);
});

test.each<[string, Partial<ContainerConfig>, string]>([
  ['an image that is not here', { image: 'registry.test/other:1' }, 'not-found'],
  ['a privileged container in an unprivileged pod', { security: security({ privileged: true }) }, 'invalid'],
  ['a group without a user', { security: security({ runAsGroup: 5 }) }, 'invalid'],
  ['a user that the image does not know', { security: security({ runAsUsername: 'nobody' }) }, 'invalid'],
  ['an unknown signal', { stopSignal: 'SIGWRONG' }, 'invalid'],
  ['an unknown capability', { security: security({ capabilities: { add: ['FLY'], drop: [], addAmbient: [] } }) }, 'invalid'],
  ['a CDI device that nobody defines', { cdiDevices: ['vendor/class=a'] }, 'invalid'],
  ['a device that is none', { devices: [{ hostPath: '/etc/passwd', containerPath: '', permissions: 'r' }] }, 'invalid'],
  ['a relative host path', { mounts: [{ ...mount, hostPath: 'tmp' }] }, 'invalid'],
  ['recursive read-only where the runtime cannot', { mounts: [{ ...mount, hostPath: '/tmp', readonly: true, recursiveReadOnly: true }] }, 'invalid'],
  ['a PID target that does not exist', inNamespaces({ pid: 'target', targetId: 'feed' }), 'not-found'],
  ['a user namespace of its own', inNamespaces({ user: { mode: 'pod', uidMappings: [{ containerId: 0, hostId: 1, length: 1 }], gidMappings: [] } }), 'invalid'],
])('create refuses %s and leaves nothing', async (_, change, kind) => {
  const before = world.leftovers();
  await expect(create(change)).rejects.toMatchObject({ kind });
  expect(world.leftovers()).toEqual(before);
});

test('recursive read-only: only read-only and private mounts', async () => {
  world.agent.features = JSON.stringify({ mountOptions: ['rro'] });
  await engine.recover();
  const ask = (change: Partial<ContainerMount>) => create({ mounts: [{ ...mount, hostPath: '/tmp', readonly: true, recursiveReadOnly: true, ...change }] });
  await expect(ask({ readonly: false })).rejects.toMatchObject({ kind: 'invalid' });
  await expect(ask({ propagation: 'host-to-container' })).rejects.toMatchObject({ kind: 'invalid' });
  const { id } = await ask({});
  expect(specOf(id).mounts.find(({ destination }) => destination === '/data')?.options).toContain('rro');
});

test('a pod that is stopped takes no container', async () => {
  await engine.pods.stop(pod.id, signal());
  await expect(create()).rejects.toMatchObject({ kind: 'precondition' });
});

test('a pod that stops while a container is made gets none', async () => {
  const gate = Promise.withResolvers<void>();
  vi.spyOn(world.snapshotter, 'prepare').mockImplementationOnce(async (key, parent) => {
    await gate.promise;
    return world.snapshotter.prepare(key, parent);
  });
  const creation = create();
  await engine.pods.stop(pod.id, signal());
  gate.resolve();
  await expect(creation).rejects.toMatchObject({ kind: 'precondition' });
  await engine.pods.remove(pod.id, signal());
  expect(world.leftovers()).toEqual([]);
});

test('a name is taken once: a retry joins, a later one learns the id, and removal frees it', async () => {
  const [a, b] = await Promise.all([create(), create()]);
  expect(b.id).toBe(a.id);
  await expect(create()).rejects.toMatchObject({ kind: 'already-exists', message: expect.stringContaining(a.id) });
  await engine.containers.remove(a.id, signal());
  await expect(create()).resolves.toMatchObject({ state: 'created' });
});

test('host paths: links are followed and what is missing is made', async () => {
  mkdirSync(join(world.root, 'real'));
  symlinkSync('real', join(world.root, 'link'));
  const { id } = await create({ mounts: [{ ...mount, hostPath: join(world.root, 'link') }, { ...mount, containerPath: 'new', hostPath: join(world.root, 'a/b') }] });
  const sources = new Map(specOf(id).mounts.map(({ destination, source }) => [destination, source]));
  expect(sources.get('/data')).toBe(join(world.root, 'real'));
  expect(sources.get('/new')).toBe(join(world.root, 'a/b'));
  expect(existsSync(join(world.root, 'a/b'))).toBe(true);
});

test('a link to nowhere and a path through a file are errors that name the path', async () => {
  symlinkSync('/does/not/exist', join(world.root, 'broken'));
  await expect(create({ mounts: [{ ...mount, hostPath: join(world.root, 'broken') }] })).rejects.toMatchObject({ kind: 'invalid', message: expect.stringContaining('broken') });
  await expect(create({ mounts: [{ ...mount, hostPath: '/etc/passwd/x' }] })).rejects.toMatchObject({ kind: 'invalid' });
});

test('volumes of the image begin with its content; a mount of the request replaces one', async () => {
  world.images.images.push(fakeImage('db', { volumes: ['/var/lib/db', '/data/'] }));
  const { id } = await create({ image: 'registry.test/db:1', mounts: [{ ...mount, hostPath: world.root }] });
  expect(world.agent.copied).toEqual(['/var/lib/db']);
  const source = specOf(id).mounts.find(({ destination }) => destination === '/var/lib/db')?.source;
  expect(source).toBe(join(world.config.stateRoot, 'containers', id, 'volumes/0'));
  await engine.pods.remove(pod.id, signal());
  expect(world.leftovers()).toEqual([]);
});

test('an image volume is mounted read-only once for the pod, keeps its image, and goes with the pod', async () => {
  world.images.images.push(fakeImage('data'));
  const mounts = [{ ...mount, readonly: true, image: 'registry.test/data:1' }];
  await create({ mounts });
  await create({ attempt: 1, mounts });
  const volumes = [...world.agent.mounts].filter(([target]) => target.includes('/images/'));
  expect(volumes).toMatchObject([[expect.anything(), { options: [expect.stringContaining('upperdir'), 'ro'] }]]);
  expect([...world.snapshotter.snapshots.keys()].filter((key) => key.startsWith('volume-'))).toHaveLength(1);
  await expect(create({ attempt: 2, mounts: [{ ...mount, image: 'registry.test/data:1' }] })).rejects.toThrow('ImageVolumeMountFailed: ');
  await expect(create({ attempt: 2, mounts: [{ ...mount, readonly: true, image: 'registry.test/none:1' }] })).rejects.toMatchObject({ kind: 'not-found' });
  await expect(create({ attempt: 2, mounts: [{ ...mount, readonly: true, image: 'registry.test/data:1', imageSubPath: 'none' }] })).rejects.toThrow('"none"');
  await engine.pods.remove(pod.id, signal());
  expect(world.leftovers()).toEqual([]);
});

test('no CPU quota is told as -1, which the spec of a new cgroup leaves out', async () => {
  const { id } = await create({ resources: { ...noResources, cpuQuota: -1, cpuPeriod: 100_000 } });
  expect(specOf(id).linux.resources.cpu).toEqual({ period: 100_000 });
  await engine.containers.update(id, { ...noResources, cpuQuota: 20_000 }, signal());
  expect(specOf(id).linux.resources.cpu).toEqual({ period: 100_000, quota: 20_000 });
  await engine.containers.update(id, { ...noResources, cpuQuota: -1 }, signal());
  expect(specOf(id).linux.resources.cpu).toEqual({ period: 100_000 });
  expect(engine.containers.get(id).resources.cpuQuota).toBe(-1);
});

test('a removal that comes while a start is in line takes the container away all the same', async () => {
  const { id } = await create();
  const starting = engine.containers.start(id, signal());
  await engine.containers.remove(id, signal());
  await starting.catch(() => undefined);
  expect(engine.containers.list(all)).toEqual([]);
  await engine.pods.remove(pod.id, signal());
  expect(world.leftovers()).toEqual([]);
});

test('a pod that stops while an image volume is on its way gets none', async () => {
  world.images.images.push(fakeImage('data'));
  const stopped = Promise.withResolvers<readonly undefined[]>();
  vi.spyOn(world.agent, 'readSnapshotFiles').mockReturnValueOnce(stopped.promise);
  const creating = create({ mounts: [{ ...mount, image: 'registry.test/data:1', readonly: true }] });
  await engine.pods.stop(pod.id, signal());
  vi.spyOn(world.agent, 'mount').mockRejectedValue(new Error('mounted in a stopped pod'));
  stopped.resolve([undefined, undefined]);
  await expect(creating).rejects.toMatchObject({ kind: 'precondition' });
  expect([...world.agent.mounts.keys()]).toEqual([]);
});

test('an image volume whose mount failed is made anew for the next container', async () => {
  const mounts = [{ ...mount, readonly: true, image: 'registry.test/app:1' }];
  vi.spyOn(world.agent, 'mount').mockRejectedValueOnce(new Error('busy'));
  await expect(create({ mounts })).rejects.toThrow('busy');
  await expect(create({ mounts })).resolves.toMatchObject({ state: 'created' });
});

test('in a pod with its own user namespace a container cannot ask for the node’s', async () => {
  world.agent.features = JSON.stringify({ linux: { namespaces: ['user'], mountExtensions: { idmap: { enabled: true } } } });
  await engine.recover();
  const mapping = [{ containerId: 0, hostId: 100_000, length: 1000 }];
  const user = { mode: 'pod', uidMappings: mapping, gidMappings: mapping } as const;
  const own = await engine.pods.run(podConfig('own', inNamespaces({ user })), signal());
  const ask = (asked: NamespaceOptions['user'], attempt: number) => engine.containers.create(own.id, containerConfig('app', { attempt, ...inNamespaces({ user: asked }) }), signal());
  await expect(ask({ mode: 'node', uidMappings: [], gidMappings: [] }, 0)).rejects.toMatchObject({ kind: 'invalid' });
  const { id } = await ask(user, 1);
  expect(specOf(id).linux.uidMappings).toEqual([{ containerID: 0, hostID: 100_000, size: 1000 }]);
});

test('a privileged container of a privileged pod gets the host’s devices', async () => {
  const privileged = security({ privileged: true });
  const big = await engine.pods.run(podConfig('big', { security: privileged }), signal());
  const { id } = await engine.containers.create(big.id, containerConfig('app', { security: privileged }), signal());
  expect(specOf(id).linux.devices).toContainEqual(expect.objectContaining({ path: '/dev/null', major: 1, minor: 3 }));
});

test('a device is passed with its number under the path asked for', async () => {
  const { id } = await create({ devices: [{ hostPath: '/dev/zero', containerPath: '/dev/mine', permissions: 'r' }] });
  expect(specOf(id).linux.devices).toEqual([expect.objectContaining({ path: '/dev/mine', type: 'c', major: 1, minor: 5 })]);
  expect(specOf(id).linux.resources.devices).toContainEqual({ allow: true, type: 'c', major: 1, minor: 5, access: 'r' });
});

test('PID namespaces: its own, or the pid of a running target of the same pod', async () => {
  const target = await running({ name: 'target' });
  const { id } = await create(inNamespaces({ pid: 'target', targetId: target }));
  expect(specOf(id).linux.namespaces).toContainEqual({ type: 'pid', path: '/proc/4242/ns/pid' });
  world.shims.get(target).finish(0);
  await exited(target);
  await expect(engine.containers.start(id, signal())).rejects.toMatchObject({ kind: 'precondition' });
  expect(engine.containers.get(id).state).toBe('created');
  const own = await create({ name: 'own', ...inNamespaces({ pid: 'pod' }) });
  expect(specOf(own.id).linux.namespaces).toContainEqual({ type: 'pid' });
});

test('start runs the process, with its log directory made, and explains the time', async () => {
  const id = await running({ logPath: 'app/0.log' });
  expect(engine.containers.get(id)).toMatchObject({ state: 'running', task: { pid: 4242, handler: 'crun' } });
  expect(world.shims.logDirsSeen).toEqual([true]);
  await vi.waitFor(() => {
    expect(engine.containers.get(id).waterfall.map(({ name }) => name)).toEqual(expect.arrayContaining(['image', 'snapshot', 'queue', 'shim', 'oci-start', 'rootfs', 'runtime']));
  });
  await expect(engine.containers.start(id, signal())).rejects.toMatchObject({ kind: 'precondition' });
});

test('a start that fails is final, with code, reason and message', async () => {
  world.shims.onLaunch = (shim) => {
    shim.startError = new BerthError('invalid', 'exec: "nope": not found');
  };
  const { id } = await create();
  await expect(engine.containers.start(id, signal())).rejects.toThrow('not found');
  expect(engine.containers.get(id)).toMatchObject({ state: 'exited', exit: { exitCode: 128, reason: 'StartError', message: 'exec: "nope": not found' } });
  expect(world.shims.shims.size).toBe(0);
  await engine.containers.stop(id, 10, signal());
  await engine.containers.remove(id, signal());
  expect(world.exits).toEqual(['StartError']);
});

test.each([
  [0, false, 'Completed'],
  [3, false, 'Error'],
  [137, true, 'OOMKilled'],
])('exit %i (oom %s) is %s, with the task deleted after it', async (code, oom, reason) => {
  const id = await running();
  world.shims.get(id).finish(code, oom);
  await exited(id);
  const { exit, startedAtNs } = engine.containers.get(id);
  expect(exit).toMatchObject({ exitCode: code, reason });
  expect(exit?.finishedAtNs).toBeGreaterThanOrEqual(startedAtNs ?? 0n);
  await vi.waitFor(() => {
    expect(world.shims.shims.size).toBe(0);
  });
  expect(engine.containers.get(id).task).toBeUndefined();
});

test('a lost shim: what it left is killed before the container counts as ended', async () => {
  const id = await running();
  const shim = world.shims.get(id);
  const end = shim.end.bind(shim);
  let stateAtEnd = '';
  vi.spyOn(shim, 'end').mockImplementation(() => {
    stateAtEnd = engine.containers.get(id).state;
    end();
  });
  shim.vanish();
  await exited(id);
  expect(stateAtEnd).toBe('running');
  expect(engine.containers.get(id).exit).toMatchObject({ exitCode: 255, reason: 'Unknown' });
});

test('what a lost shim left is tried to be killed until it is', async () => {
  const id = await running();
  const shim = world.shims.get(id);
  vi.spyOn(shim, 'end').mockImplementationOnce(() => {
    throw new Error('busy');
  });
  shim.vanish();
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
  expect(engine.containers.get(id).state).toBe('running');
  await vi.waitFor(() => {
    expect(engine.containers.get(id).state).toBe('exited');
  }, 3000);
});

test('a task that could not be deleted at the exit is deleted at the removal', async () => {
  const id = await running();
  const shim = world.shims.get(id);
  vi.spyOn(shim, 'end').mockImplementationOnce(() => {
    throw new Error('busy');
  });
  shim.finish(0);
  await exited(id);
  await vi.waitFor(() => {
    expect(world.warnings).toContain('watching a container failed');
  });
  await engine.containers.remove(id, signal());
  expect(world.shims.shims.size).toBe(0);
});

test('an exit never seems to come before the start', async () => {
  const id = await running();
  const shim = world.shims.get(id);
  shim.finish(0);
  shim.exit = { exitCode: 0, exitedAtNs: 1n, oomKilled: false };
  await exited(id);
  const { exit, startedAtNs } = engine.containers.get(id);
  expect(exit?.finishedAtNs).toBe(startedAtNs);
});

test('a stop signal that could not be sent is sent by the next stop', async () => {
  const id = await running();
  const shim = world.shims.get(id);
  vi.spyOn(shim, 'deliver').mockImplementationOnce(() => {
    throw new BerthError('internal', 'no');
  });
  await expect(engine.containers.stop(id, 5000, AbortSignal.timeout(30))).rejects.toThrow();
  expect(engine.containers.get(id).state).toBe('running');
  await engine.containers.stop(id, 5000, signal());
  expect(shim.signals.map(({ signalNumber }) => signalNumber)).toEqual([15, 15]);
});

test('a frozen shim does not keep its container from being killed, also for two callers at once', async () => {
  const id = await running();
  Object.assign(world.shims.get(id), { frozen: true, callMs: 30 });
  await Promise.all([engine.containers.stop(id, 0, signal()), engine.containers.stop(id, 0, signal())]);
  expect(new Set(world.shims.buried)).toEqual(new Set([id]));
  expect(engine.containers.get(id)).toMatchObject({ state: 'exited', exit: { exitCode: 255, reason: 'Unknown' } });
  await engine.containers.remove(id, signal());
  expect(world.warnings).not.toContain('watching a container failed');
});

test('stop: TERM once, then nothing more if that is enough', async () => {
  const id = await running();
  const shim = world.shims.get(id);
  await engine.containers.stop(id, 2000, signal());
  expect(shim.signals).toEqual([{ signalNumber: 15, all: false }]);
  expect(engine.containers.get(id)).toMatchObject({ state: 'exited', exit: { exitCode: 143 } });
  await engine.containers.stop(id, 2000, signal());
});

test('stop with the request’s signal', async () => {
  const id = await running({ stopSignal: 'SIGRTMIN+3' });
  const shim = world.shims.get(id);
  await engine.containers.stop(id, 20, signal());
  expect(shim.signals.map(({ signalNumber }) => signalNumber)).toEqual([37, 9]);
});

test('stop with timeout 0 kills at once, and everything where the PID namespace is not the container’s', async () => {
  const id = await running(inNamespaces({ pid: 'node' }));
  const shim = world.shims.get(id);
  await engine.containers.stop(id, 0, signal());
  expect(shim.signals[0]).toEqual({ signalNumber: 9, all: true });
});

test('a later stop with a shorter grace ends an earlier one, and TERM is not sent twice', async () => {
  const id = await running();
  const shim = world.shims.get(id);
  shim.obeysTerm = false;
  const patient = engine.containers.stop(id, 60_000, signal());
  await engine.containers.stop(id, 20, signal());
  await patient;
  expect(shim.signals.map(({ signalNumber }) => signalNumber)).toEqual([15, 9]);
});

test('a caller who leaves during the grace brings no SIGKILL', async () => {
  const id = await running();
  const shim = world.shims.get(id);
  shim.obeysTerm = false;
  await expect(engine.containers.stop(id, 60, AbortSignal.timeout(20))).rejects.toThrow();
  await new Promise((resolve) => setTimeout(resolve, 120));
  expect(shim.signals.map(({ signalNumber }) => signalNumber)).toEqual([15]);
  expect(engine.containers.get(id).state).toBe('running');
});

test('while a stop waits, lists, status and exec answer', async () => {
  const id = await running();
  world.shims.get(id).obeysTerm = false;
  const stop = engine.containers.stop(id, 300, signal());
  expect(engine.containers.list({ ...all, state: 'running' })).toHaveLength(1);
  await expect(engine.containers.execSync({ containerId: id, command: ['true'], timeoutMs: undefined }, signal())).resolves.toMatchObject({ exitCode: 0 });
  await engine.containers.update(id, { ...noResources, cpuShares: 2 }, signal());
  expect(engine.containers.get(id).state).toBe('running');
  await stop;
});

test('stop of a container that starts waits for the start and then ends it', async () => {
  const gate = Promise.withResolvers<void>();
  world.shims.launchGate = gate.promise;
  const { id } = await create();
  const start = engine.containers.start(id, signal());
  await vi.waitFor(() => {
    expect(engine.containers.get(id).state).toBe('starting');
  });
  expect(engine.containers.list({ ...all, state: 'created' })).toHaveLength(1);
  const stop = engine.containers.stop(id, 0, signal());
  gate.resolve();
  await Promise.all([start, stop]);
  expect(engine.containers.get(id).state).toBe('exited');
});

test('a pod that is stopped while a container waits for its turn to start wins', async () => {
  await world.close();
  world = new World({ startConcurrency: 1 });
  engine = world.engine();
  pod = await engine.pods.run(podConfig('web'), signal());
  const gate = Promise.withResolvers<void>();
  world.shims.launchGate = gate.promise;
  const other = await engine.pods.run(podConfig('other'), signal());
  const first = await engine.containers.create(other.id, containerConfig('first'), signal());
  const second = await create();
  const busy = engine.containers.start(first.id, signal());
  const waiting = engine.containers.start(second.id, signal());
  await vi.waitFor(() => {
    expect(engine.containers.get(first.id).state).toBe('starting');
  });
  await engine.pods.stop(pod.id, signal());
  gate.resolve();
  await busy;
  await expect(waiting).rejects.toMatchObject({ kind: 'precondition' });
});

test('a caller who leaves during the start ends it as a failed one', async () => {
  world.shims.launchGate = new Promise(() => undefined);
  const { id } = await create();
  const abort = new AbortController();
  const start = engine.containers.start(id, abort.signal);
  await vi.waitFor(() => {
    expect(engine.containers.get(id).state).toBe('starting');
  });
  abort.abort(new Error('the client left'));
  await expect(start).rejects.toThrow('the client left');
  expect(engine.containers.get(id)).toMatchObject({ state: 'exited', exit: { reason: 'StartError' } });
});

test('a caller who leaves while the process comes up leaves none that runs', async () => {
  let shim: FakeShim | undefined;
  world.shims.onLaunch = (launched) => {
    shim = launched;
    launched.startGate = new Promise(() => undefined);
  };
  const { id } = await create();
  const abort = new AbortController();
  const start = engine.containers.start(id, abort.signal);
  await vi.waitFor(() => {
    expect(shim?.status).toBe('running');
  });
  abort.abort(new Error('the client left'));
  await expect(start).rejects.toThrow('the client left');
  expect(engine.containers.get(id)).toMatchObject({ state: 'exited', exit: { reason: 'StartError' }, task: undefined });
  expect(shim?.signals).toEqual([{ signalNumber: 9, all: true }]);
  expect(world.shims.shims.size).toBe(0);
  await engine.containers.remove(id, signal());
});

test('what a failed start could not undo ends with the removal', async () => {
  world.shims.onLaunch = (launched) => {
    launched.startGate = new Promise(() => undefined);
    launched.callMs = 50;
  };
  const { id } = await create();
  const abort = new AbortController();
  const start = engine.containers.start(id, abort.signal);
  await vi.waitFor(() => {
    expect(world.shims.get(id).status).toBe('running');
  });
  world.shims.get(id).frozen = true;
  abort.abort(new Error('the client left'));
  await expect(start).rejects.toThrow('the client left');
  world.shims.get(id).frozen = false;
  await engine.containers.remove(id, signal());
  expect(world.shims.shims.size).toBe(0);
});

test('remove ends a running container; two removals at once are one; unknown is content', async () => {
  const id = await running();
  const before = vi.spyOn(world.agent, 'removeTree');
  await Promise.all([engine.containers.remove(id, signal()), engine.containers.remove(id, signal())]);
  await engine.containers.remove(id, signal());
  expect(before).toHaveBeenCalledTimes(1);
  expect(engine.containers.list(all)).toEqual([]);
  await engine.pods.remove(pod.id, signal());
  expect(world.leftovers()).toEqual([]);
});

test('a removal that fails half-way goes on with the next call', async () => {
  const { id } = await create();
  vi.spyOn(world.snapshotter, 'remove').mockRejectedValueOnce(new Error('disk'));
  await expect(engine.containers.remove(id, signal())).rejects.toThrow('disk');
  expect(engine.containers.list({ ...all, state: 'exited' })).toHaveLength(1);
  await engine.containers.remove(id, signal());
  expect(engine.containers.list(all)).toEqual([]);
});

test('update: spec, cgroup and record change together, and what is not asked stays', async () => {
  const id = await running({ resources: { ...noResources, cpuShares: 100, memoryLimitBytes: 1 << 26 } });
  await engine.containers.update(id, { ...noResources, cpuQuota: 20_000 }, signal());
  expect(engine.containers.get(id).resources).toMatchObject({ cpuShares: 100, memoryLimitBytes: 1 << 26, cpuQuota: 20_000 });
  expect(specOf(id).linux.resources).toMatchObject({ cpu: { shares: 100, quota: 20_000 }, memory: { limit: 1 << 26 } });
  expect(specOf(id).linux.resources.devices).not.toEqual([]);
  expect(world.shims.get(id).updates).toEqual([{ memory: {}, cpu: { quota: 20_000 } }]);
});

test('update of a created container reaches its spec; a refused one changes nothing', async () => {
  const { id } = await create();
  await engine.containers.update(id, { ...noResources, cpuShares: 7 }, signal());
  expect(specOf(id).linux.resources.cpu).toEqual({ shares: 7 });
  await engine.containers.start(id, signal());
  world.shims.get(id).refusesUpdates = true;
  await expect(engine.containers.update(id, { ...noResources, cpuShares: 9 }, signal())).rejects.toThrow('refused');
  expect(specOf(id).linux.resources.cpu).toEqual({ shares: 7 });
  expect(engine.containers.get(id).resources.cpuShares).toBe(7);
  await engine.containers.stop(id, 0, signal());
  await expect(engine.containers.update(id, noResources, signal())).rejects.toMatchObject({ kind: 'precondition' });
});

test('update of the OOM score reaches spec, processes and record, and is taken back when the limits are refused', async () => {
  const id = await running({ resources: { ...noResources, oomScoreAdj: 500 } });
  const shim = world.shims.get(id);
  await engine.containers.update(id, { ...noResources, oomScoreAdj: 600 }, signal());
  expect(shim.scores).toEqual([{ from: 500, to: 600 }]);
  expect(specOf(id).process.oomScoreAdj).toBe(600);
  expect(engine.containers.get(id).resources.oomScoreAdj).toBe(600);
  shim.refusesUpdates = true;
  await expect(engine.containers.update(id, { ...noResources, oomScoreAdj: 700 }, signal())).rejects.toThrow('refused');
  expect(shim.scores.slice(1)).toEqual([{ from: 600, to: 700 }, { from: 700, to: 600 }]);
  expect(specOf(id).process.oomScoreAdj).toBe(600);
  expect(engine.containers.get(id).resources.oomScoreAdj).toBe(600);
});

test('exec runs as the container does', async () => {
  const id = await running({ security: security({ runAsUser: 1000, capabilities: { add: [], drop: ['ALL'], addAmbient: [] } }), workingDir: '/srv' });
  const { stdout } = await engine.containers.execSync({ containerId: id, command: ['id'], timeoutMs: 1000 }, signal());
  expect(JSON.parse(new TextDecoder().decode(stdout))).toMatchObject({ args: ['id'], cwd: '/srv', terminal: false, user: { uid: 1000 }, capabilities: { bounding: [] } });
});

test('exec and log rotation need a running container', async () => {
  const { id } = await create({ logPath: 'a.log' });
  await expect(engine.containers.execSync({ containerId: id, command: ['id'], timeoutMs: undefined }, signal())).rejects.toMatchObject({ kind: 'precondition' });
  await expect(engine.containers.reopenLog(id, signal())).rejects.toMatchObject({ kind: 'precondition' });
  await expect(engine.containers.reopenLog('feed', signal())).rejects.toMatchObject({ kind: 'not-found' });
  await engine.containers.start(id, signal());
  await engine.containers.reopenLog(id, signal());
  expect(world.shims.get(id).reopened).toBe(1);
});

test('lists filter by pod, state, labels and id prefix', async () => {
  const a = await running({ name: 'a' });
  const b = await create({ name: 'b', labels: { role: 'b' } });
  const ids = (filter: Partial<Parameters<typeof engine.containers.list>[0]>) => engine.containers.list({ ...all, ...filter }).map(({ id }) => id);
  expect(ids({ podId: pod.id })).toEqual([a, b.id]);
  expect(ids({ podId: 'feed' })).toEqual([]);
  expect(ids({ state: 'running' })).toEqual([a]);
  expect(ids({ labels: { role: 'b' } })).toEqual([b.id]);
  expect(ids({ id: b.id.slice(0, 10), state: 'created' })).toEqual([b.id]);
});
