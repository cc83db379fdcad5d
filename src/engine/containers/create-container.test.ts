import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import type { ContainerConfig } from '../model/container.ts';
import type { NamespaceOptions } from '../model/security.ts';
import { containerConfig, podConfig, security } from '../testing/configs.ts';
import { containersFixture, inNamespaces, mount, signal } from '../testing/containers-fixture.ts';

const fixture = containersFixture();
const { create, running, specOf, exited } = fixture;

test('create makes a snapshot and a bundle but no process', async () => {
  const container = await create({ envs: [{ key: 'B', value: '2' }], logPath: 'app/0.log' });
  expect(container).toMatchObject({ state: 'created', stopSignal: 'SIGTERM', logPath: join(fixture.world.root, 'logs/app/0.log'), user: { uid: 0, gid: 0, groups: [0] } });
  expect(container.imageRef).toContain('registry.test/app@sha256:');
  expect(fixture.world.shims.shims.size).toBe(0);
  expect(specOf(container.id)).toMatchObject({ process: { args: ['sh'], cwd: '/' }, linux: { cgroupsPath: `/berth/${container.id}` } });
  expect(specOf(container.id).process.env).toContain('HOSTNAME=web');
  expect(container.waterfall.map(({ name }) => name)).toEqual(['image', 'snapshot', 'accounts', 'volumes', 'mounts', 'spec', 'bundle']);
});

test('the user is looked up in the image, and its account files are read once', async () => {
  const read = vi.spyOn(fixture.world.agent, 'readSnapshotFiles');
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
  const before = fixture.world.leftovers();
  await expect(create(change)).rejects.toMatchObject({ kind });
  expect(fixture.world.leftovers()).toEqual(before);
});

test('a pod that is stopped takes no container', async () => {
  await fixture.engine.pods.stop(fixture.pod.id, signal());
  await expect(create()).rejects.toMatchObject({ kind: 'precondition' });
});

test('a pod that stops while a container is made gets none', async () => {
  const gate = Promise.withResolvers<void>();
  vi.spyOn(fixture.world.snapshotter, 'prepare').mockImplementationOnce(async (key, parent) => {
    await gate.promise;
    return fixture.world.snapshotter.prepare(key, parent);
  });
  const creation = create();
  await fixture.engine.pods.stop(fixture.pod.id, signal());
  gate.resolve();
  await expect(creation).rejects.toMatchObject({ kind: 'precondition' });
  await fixture.engine.pods.remove(fixture.pod.id, signal());
  expect(fixture.world.leftovers()).toEqual([]);
});

test('a name is taken once: a retry joins, a later one learns the id, and removal frees it', async () => {
  const [a, b] = await Promise.all([create(), create()]);
  expect(b.id).toBe(a.id);
  await expect(create()).rejects.toMatchObject({ kind: 'already-exists', message: expect.stringContaining(a.id) });
  await fixture.engine.containers.remove(a.id, signal());
  await expect(create()).resolves.toMatchObject({ state: 'created' });
});

test('in a pod with its own user namespace a container cannot ask for the node’s', async () => {
  fixture.world.agent.features = JSON.stringify({ linux: { namespaces: ['user'], mountExtensions: { idmap: { enabled: true } } } });
  await fixture.engine.recover();
  const mapping = [{ containerId: 0, hostId: 100_000, length: 1000 }];
  const user = { mode: 'pod', uidMappings: mapping, gidMappings: mapping } as const;
  const own = await fixture.engine.pods.run(podConfig('own', inNamespaces({ user })), signal());
  const ask = (asked: NamespaceOptions['user'], attempt: number) => fixture.engine.containers.create(own.id, containerConfig('app', { attempt, ...inNamespaces({ user: asked }) }), signal());
  await expect(ask({ mode: 'node', uidMappings: [], gidMappings: [] }, 0)).rejects.toMatchObject({ kind: 'invalid' });
  const { id } = await ask(user, 1);
  expect(specOf(id).linux.uidMappings).toEqual([{ containerID: 0, hostID: 100_000, size: 1000 }]);
});

test('a privileged container of a privileged pod gets the host’s devices', async () => {
  const privileged = security({ privileged: true });
  const big = await fixture.engine.pods.run(podConfig('big', { security: privileged }), signal());
  const { id } = await fixture.engine.containers.create(big.id, containerConfig('app', { security: privileged }), signal());
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
  fixture.world.shims.get(target).finish(0);
  await exited(target);
  await expect(fixture.engine.containers.start(id, signal())).rejects.toMatchObject({ kind: 'precondition' });
  expect(fixture.engine.containers.get(id).state).toBe('created');
  const own = await create({ name: 'own', ...inNamespaces({ pid: 'pod' }) });
  expect(specOf(own.id).linux.namespaces).toContainEqual({ type: 'pid' });
});
