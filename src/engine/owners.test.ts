import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RunningEngine } from './engine.ts';
import type { PodConfig } from './model/pod.ts';
import { containerConfig, podConfig } from './testing/configs.ts';
import { World } from './testing/world.ts';

const signal = (): AbortSignal => AbortSignal.timeout(15_000);

let world: World;
let engine: RunningEngine;

beforeEach(async () => {
  world = new World();
  engine = world.engine();
  await engine.recover();
});

afterEach(async () => {
  await world.close();
});

const ofDocker = (change: Partial<PodConfig> = {}): PodConfig => podConfig('web', { owner: 'docker', plugins: undefined, ...change });

test('two owners have the same key, and each finds what is its own alone', async () => {
  const [cri, docker] = [engine.of('cri'), engine.of('docker')];
  const [ours, theirs] = [await cri.pods.run(podConfig('web'), signal()), await docker.pods.run(ofDocker(), signal())];
  const { id } = await docker.containers.create(theirs.id, containerConfig('app'), signal());
  expect(cri.pods.list()).toEqual([ours]);
  expect(docker.pods.list()).toEqual([theirs]);
  expect(cri.containers.list()).toEqual([]);
  expect(() => cri.pods.get(theirs.id)).toThrow('no pod has the id');
  expect(() => cri.containers.get(id)).toThrow('no container has the id');
  await expect(cri.containers.create(theirs.id, containerConfig('stranger'), signal())).rejects.toMatchObject({ kind: 'not-found' });
  // What an owner does not find, it cannot end.
  await cri.containers.remove(id, signal());
  await cri.pods.remove(theirs.id, signal());
  expect(docker.containers.get(id).state).toBe('created');
  expect(engine.pods.list()).toHaveLength(2);
});

test('an owner is told of a key that is taken by its own alone', async () => {
  const docker = engine.of('docker');
  const first = await docker.pods.run(ofDocker(), signal());
  await expect(docker.pods.run(ofDocker(), signal())).rejects.toMatchObject({ kind: 'already-exists', message: `pod web exists already as ${first.id}` });
});

test('plugins hear nothing of a pod that they know by no name, nor of its containers', async () => {
  world.nri.active = true;
  const docker = engine.of('docker');
  const pod = await docker.pods.run(ofDocker(), signal());
  const { id } = await docker.containers.create(pod.id, containerConfig('app'), signal());
  await docker.containers.start(id, signal());
  expect([world.nri.host?.pods(), world.nri.host?.containers()]).toEqual([[], []]);
  await docker.pods.remove(pod.id, signal());
  expect(world.nri.events).toEqual([]);
  expect(world.leftovers()).toEqual([]);
});

test('the first plugin is shown what there is before it counts as active', async () => {
  const { id } = await engine.of('cri').pods.run(podConfig('web'), signal());
  await engine.of('docker').pods.run(ofDocker(), signal());
  expect(world.nri.host?.pods().map((pod) => pod.id)).toEqual([id]);
});

test('owners are who they were after a restart', async () => {
  const theirs = await engine.of('docker').pods.run(ofDocker(), signal());
  const again = world.engine();
  await again.recover();
  expect(again.of('docker').pods.get(theirs.id).config.owner).toBe('docker');
  expect(again.of('cri').pods.list()).toEqual([]);
});
