import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, test, vi } from 'vitest';
import type { ContainerMount } from '../model/container.ts';
import { containersFixture, mount, signal } from '../testing/containers-fixture.ts';
import { fakeImage } from '../testing/fake-images.ts';

const fixture = containersFixture();
const { create, specOf } = fixture;

test('recursive read-only: only read-only and private mounts', async () => {
  fixture.world.agent.features = JSON.stringify({ mountOptions: ['rro'] });
  await fixture.engine.recover();
  const ask = (change: Partial<ContainerMount>) => create({ mounts: [{ ...mount, hostPath: '/tmp', readonly: true, recursiveReadOnly: true, ...change }] });
  await expect(ask({ readonly: false })).rejects.toMatchObject({ kind: 'invalid' });
  await expect(ask({ propagation: 'host-to-container' })).rejects.toMatchObject({ kind: 'invalid' });
  const { id } = await ask({});
  expect(specOf(id).mounts.find(({ destination }) => destination === '/data')?.options).toContain('rro');
});

test('host paths: links are followed and what is missing is made', async () => {
  mkdirSync(join(fixture.world.root, 'real'));
  symlinkSync('real', join(fixture.world.root, 'link'));
  const { id } = await create({ mounts: [{ ...mount, hostPath: join(fixture.world.root, 'link') }, { ...mount, containerPath: 'new', hostPath: join(fixture.world.root, 'a/b') }] });
  const sources = new Map(specOf(id).mounts.map(({ destination, source }) => [destination, source]));
  expect(sources.get('/data')).toBe(join(fixture.world.root, 'real'));
  expect(sources.get('/new')).toBe(join(fixture.world.root, 'a/b'));
  expect(existsSync(join(fixture.world.root, 'a/b'))).toBe(true);
});

test('a link to nowhere and a path through a file are errors that name the path', async () => {
  symlinkSync('/does/not/exist', join(fixture.world.root, 'broken'));
  await expect(create({ mounts: [{ ...mount, hostPath: join(fixture.world.root, 'broken') }] })).rejects.toMatchObject({ kind: 'invalid', message: expect.stringContaining('broken') });
  await expect(create({ mounts: [{ ...mount, hostPath: '/etc/passwd/x' }] })).rejects.toMatchObject({ kind: 'invalid' });
});

test('volumes of the image begin with its content; a mount of the request replaces one', async () => {
  fixture.world.images.images.push(fakeImage('db', { volumes: ['/var/lib/db', '/data/'] }));
  const { id } = await create({ image: 'registry.test/db:1', mounts: [{ ...mount, hostPath: fixture.world.root }] });
  expect(fixture.world.agent.copied).toEqual(['/var/lib/db']);
  const source = specOf(id).mounts.find(({ destination }) => destination === '/var/lib/db')?.source;
  expect(source).toBe(join(fixture.world.config.stateRoot, 'containers', id, 'volumes/0'));
  await fixture.engine.pods.remove(fixture.pod.id, signal());
  expect(fixture.world.leftovers()).toEqual([]);
});

test('an image\'s VOLUME goes where its path leads, once, and never where berth mounts', async () => {
  fixture.world.images.images.push(fakeImage('odd', { volumes: ['/proc', '/kernel', '/sys/fs/cgroup', '/dev/shm', '/etc/hosts', '/', '/var/run', '/run', '/run/lock'] }));
  const { id } = await create({ image: 'registry.test/odd:1' });
  expect(fixture.world.agent.copied).toEqual(['/run']);
  const places = specOf(id).mounts.map(({ destination }) => destination);
  for (const own of ['/proc', '/sys', '/sys/fs/cgroup', '/dev', '/dev/shm', '/etc/hosts', '/run']) expect(places.filter((path) => path === own)).toEqual([own]);
  expect(specOf(id).mounts.find(({ destination }) => destination === '/proc')?.type).toBe('proc');
});

test('an image volume is mounted read-only once for the pod, keeps its image, and goes with the pod', async () => {
  fixture.world.images.images.push(fakeImage('data'));
  const mounts = [{ ...mount, readonly: true, image: 'registry.test/data:1' }];
  await create({ mounts });
  await create({ attempt: 1, mounts });
  const volumes = [...fixture.world.agent.mounts].filter(([target]) => target.includes('/images/'));
  expect(volumes).toMatchObject([[expect.anything(), { options: [expect.stringContaining('upperdir'), 'ro'] }]]);
  expect([...fixture.world.snapshotter.snapshots.keys()].filter((key) => key.startsWith('volume-'))).toHaveLength(1);
  await expect(create({ attempt: 2, mounts: [{ ...mount, image: 'registry.test/data:1' }] })).rejects.toMatchObject({ reason: 'image-volume' });
  await expect(create({ attempt: 2, mounts: [{ ...mount, readonly: true, image: 'registry.test/none:1' }] })).rejects.toMatchObject({ kind: 'not-found' });
  await expect(create({ attempt: 2, mounts: [{ ...mount, readonly: true, image: 'registry.test/data:1', imageSubPath: 'none' }] })).rejects.toThrow('"none"');
  await fixture.engine.pods.remove(fixture.pod.id, signal());
  expect(fixture.world.leftovers()).toEqual([]);
});

test('a pod that stops while an image volume is on its way gets none', async () => {
  fixture.world.images.images.push(fakeImage('data'));
  const stopped = Promise.withResolvers<readonly undefined[]>();
  vi.spyOn(fixture.world.agent, 'readSnapshotFiles').mockReturnValueOnce(stopped.promise);
  const creating = create({ mounts: [{ ...mount, image: 'registry.test/data:1', readonly: true }] });
  await fixture.engine.pods.stop(fixture.pod.id, signal());
  vi.spyOn(fixture.world.agent, 'mount').mockRejectedValue(new Error('mounted in a stopped pod'));
  stopped.resolve([undefined, undefined]);
  await expect(creating).rejects.toMatchObject({ kind: 'precondition' });
  expect([...fixture.world.agent.mounts.keys()].map((path) => basename(path))).toEqual(['etc']);
});

test('an image volume whose mount failed is made anew for the next container', async () => {
  const mounts = [{ ...mount, readonly: true, image: 'registry.test/app:1' }];
  vi.spyOn(fixture.world.agent, 'mount').mockRejectedValueOnce(new Error('busy'));
  await expect(create({ mounts })).rejects.toThrow('busy');
  await expect(create({ mounts })).resolves.toMatchObject({ state: 'created' });
});
