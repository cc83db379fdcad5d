import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { OciSpec } from '../../oci/runtime-spec/types.ts';
import type { RunningEngine } from '../engine.ts';
import { containerConfig, noResources, podConfig } from '../testing/configs.ts';
import { World } from '../testing/world.ts';

const signal = (): AbortSignal => AbortSignal.timeout(15_000);

let world: World;
let engine: RunningEngine;

beforeEach(async () => {
  world = new World();
  engine = world.engine();
  await engine.recover();
  world.nri.active = true;
});

afterEach(async () => {
  await world.close();
});

const specOf = (id: string): OciSpec => JSON.parse(readFileSync(join(world.config.runRoot, 'containers', id, 'config.json'), 'utf8')) as OciSpec;

test('a whole life is told in order', async () => {
  const pod = await engine.pods.run(podConfig('web'), signal());
  const { id } = await engine.containers.create(pod.id, containerConfig('app'), signal());
  await engine.containers.start(id, signal());
  await engine.containers.update(id, { ...noResources, cpuShares: 5 }, signal());
  await engine.containers.stop(id, 0, signal());
  await engine.containers.remove(id, signal());
  await engine.pods.updateResources(pod.id, { overhead: undefined, resources: undefined }, signal());
  await engine.pods.remove(pod.id, signal());
  expect(world.nri.events).toEqual([
    'run-pod web', 'create app', 'post-create app', 'start app', 'post-start app', 'update app', 'post-update app', 'stop app', 'remove app', 'update-pod web', 'post-update-pod web', 'stop-pod web', 'remove-pod web',
  ]);
  expect(world.leftovers()).toEqual([]);
});

test('without plugins nothing is told, and an end that nobody was told of is not told later', async () => {
  world.nri.active = false;
  const pod = await engine.pods.run(podConfig('web'), signal());
  const { id } = await engine.containers.create(pod.id, containerConfig('app'), signal());
  await engine.containers.start(id, signal());
  await engine.containers.stop(id, 0, signal());
  await engine.pods.stop(pod.id, signal());
  world.nri.active = true;
  await engine.pods.remove(pod.id, signal());
  expect(world.nri.events).toEqual(['remove app', 'remove-pod web']);
});

test.each([
  ['run-pod', ['run-pod web', 'stop-pod web', 'remove-pod web']],
  ['create', ['run-pod web', 'create app', 'stop app', 'remove app']],
])('what a plugin refuses at %s is undone and over for plugins', async (event, told) => {
  world.nri.refused.add(event);
  const make = async (): Promise<unknown> => engine.containers.create((await engine.pods.run(podConfig('web'), signal())).id, containerConfig('app'), signal());
  await expect(make()).rejects.toThrow(`a plugin refuses ${event}`);
  expect(world.nri.events).toEqual(told);
  expect(engine.containers.list()).toEqual([]);
  for (const { id } of engine.pods.list()) await engine.pods.remove(id, signal());
  expect(world.leftovers()).toEqual([]);
});

test('a failed start is an end for plugins', async () => {
  const pod = await engine.pods.run(podConfig('web'), signal());
  const { id } = await engine.containers.create(pod.id, containerConfig('app'), signal());
  world.nri.refused.add('start');
  await expect(engine.containers.start(id, signal())).rejects.toThrow('a plugin refuses start');
  expect(engine.containers.get(id)).toMatchObject({ state: 'exited', exit: { reason: 'StartError' } });
  await vi.waitFor(() => { expect(world.nri.events.slice(-2)).toEqual(['start app', 'stop app']); });
});

test('what joins while something is being made is told of it, although no list shows it', async () => {
  const gate = Promise.withResolvers<void>();
  const seen = (): readonly (readonly string[])[] => [(world.nri.host?.pods() ?? []).map(({ name }) => name), (world.nri.host?.containers() ?? []).map(({ name }) => name)];
  world.nri.gate = gate.promise;
  const running = engine.pods.run(podConfig('web'), signal());
  await vi.waitFor(() => { expect(world.nri.events).toEqual(['run-pod web']); });
  expect([engine.pods.list(), seen()]).toEqual([[], [['web'], []]]);
  gate.resolve();
  const pod = await running;
  const next = Promise.withResolvers<void>();
  world.nri.gate = next.promise;
  const creating = engine.containers.create(pod.id, containerConfig('app'), signal());
  await vi.waitFor(() => { expect(world.nri.events.at(-1)).toBe('create app'); });
  expect([engine.containers.list(), seen()]).toEqual([[], [['web'], ['app']]]);
  next.resolve();
  await creating;
  expect(seen()).toEqual([['web'], ['app']]);
});

test('what plugins make of a spec is written and shown', async () => {
  world.nri.adjust = ({ spec }) => ({
    spec: { ...spec, process: { ...spec.process, oomScoreAdj: -2000 }, linux: { ...spec.linux, resources: { ...spec.linux.resources, cpu: { shares: 77 } } } },
    cdiDevices: [],
  });
  const pod = await engine.pods.run(podConfig('web'), signal());
  const { id } = await engine.containers.create(pod.id, containerConfig('app'), signal());
  expect(specOf(id).linux.resources.cpu).toEqual({ shares: 77 });
  expect(engine.containers.get(id).resources.cpuShares).toBe(77);
  // No lower than the node can give.
  expect(specOf(id).process.oomScoreAdj).toBe(-1000);
});

test('a plugin cannot ask for files that the node does not have', async () => {
  world.nri.adjust = ({ spec }) => ({ spec: { ...spec, linux: { ...spec.linux, resources: { ...spec.linux.resources, unified: { 'memory.high': '1' } } } }, cdiDevices: [] });
  const pod = await engine.pods.run(podConfig('web'), signal());
  await expect(engine.containers.create(pod.id, containerConfig('app'), signal())).rejects.toThrow('memory.high');
  expect(engine.containers.list()).toEqual([]);
});

test('a device that both the request and a plugin name is injected once', async () => {
  const dir = join(world.root, 'cdi');
  mkdirSync(dir);
  const hooks = [{ hookName: 'createRuntime', path: '/bin/true' }];
  writeFileSync(join(dir, 'acme.json'), JSON.stringify({ cdiVersion: '0.6.0', kind: 'acme.example/gpu', containerEdits: {}, devices: [{ name: '0', containerEdits: { hooks } }] }));
  world.nri.adjust = ({ spec }) => ({ spec, cdiDevices: ['acme.example/gpu=0'] });
  const pod = await engine.pods.run(podConfig('web'), signal());
  const { id } = await engine.containers.create(pod.id, containerConfig('app', { cdiDevices: ['acme.example/gpu=0'] }), signal());
  expect(specOf(id).hooks?.createRuntime).toHaveLength(1);
});

test('a plugin updates and evicts by itself', async () => {
  const pod = await engine.pods.run(podConfig('web'), signal());
  const { id } = await engine.containers.create(pod.id, containerConfig('app'), signal());
  await engine.containers.start(id, signal());
  await world.nri.host?.update(id, { cpu: { shares: 9 }, pids: { limit: 4 } });
  expect(engine.containers.get(id).resources.cpuShares).toBe(9);
  expect(specOf(id).linux.resources).toMatchObject({ cpu: { shares: 9 }, pids: { limit: 4 } });
  await world.nri.host?.evict(id, 'room');
  await vi.waitFor(() => { expect(engine.containers.get(id).state).toBe('exited'); });
  await expect(world.nri.host?.update(id, { cpu: { shares: 10 } })).rejects.toThrow('its resources cannot change');
  await expect(world.nri.host?.update('f'.repeat(64), {})).resolves.toBeUndefined();
});

test('an update as plugins want it is what the runtime, the spec and the record get', async () => {
  const pod = await engine.pods.run(podConfig('web'), signal());
  const { id } = await engine.containers.create(pod.id, containerConfig('app'), signal());
  world.nri.change = (asked) => ({ ...asked, cpu: { ...asked.cpu, quota: 123 } });
  await engine.containers.update(id, { ...noResources, cpuShares: 5, oomScoreAdj: 3 }, signal());
  expect(engine.containers.get(id).resources).toMatchObject({ cpuShares: 5, cpuQuota: 123, oomScoreAdj: 3 });
  expect(specOf(id).linux.resources.cpu).toMatchObject({ shares: 5, quota: 123 });
});

test('a plugin may evict the very container that it is asked about', async () => {
  const pod = await engine.pods.run(podConfig('web'), signal());
  const { id } = await engine.containers.create(pod.id, containerConfig('app'), signal());
  await engine.containers.start(id, signal());
  world.nri.updateContainer = async ({ container }, asked) => {
    await world.nri.host?.evict(container.id, 'it wants too much');
    return asked;
  };
  await engine.containers.update(id, { ...noResources, cpuShares: 5 }, signal()).catch(() => undefined);
  await vi.waitFor(() => { expect(engine.containers.get(id).state).toBe('exited'); });
  await engine.pods.remove(pod.id, signal());
  expect(world.leftovers()).toEqual([]);
});

test('containers that never ran can be removed at once, whatever their ends make plugins change', async () => {
  const pod = await engine.pods.run(podConfig('web'), signal());
  const ids = await Promise.all(['a', 'b'].map(async (name) => (await engine.containers.create(pod.id, containerConfig(name), signal())).id));
  world.nri.stopContainer = async () => {
    for (const id of ids) await world.nri.host?.update(id, { cpu: { shares: 9 } }).catch(() => undefined);
  };
  await engine.pods.remove(pod.id, signal());
  expect(world.leftovers()).toEqual([]);
});
