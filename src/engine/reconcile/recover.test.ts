import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { BerthError } from '../../lib/errors.ts';
import type { SnapshotKey } from '../../lib/ids.ts';
import type { RunningEngine } from '../engine.ts';
import type { Pod } from '../model/pod.ts';
import { containerConfig, kubeNamespaces, podConfig, security } from '../testing/configs.ts';
import { World } from '../testing/world.ts';

const signal = (): AbortSignal => AbortSignal.timeout(15_000);
const anyPod = { id: '', state: undefined, labels: {} } as const;
const anyContainer = { id: '', podId: '', state: undefined, labels: {} } as const;

let world: World;
let pod: Pod;
let first: RunningEngine;

beforeEach(async () => {
  world = new World();
  first = world.engine();
  pod = await first.pods.run(podConfig('web'), signal());
});

afterEach(async () => {
  vi.restoreAllMocks();
  await world.close();
});

async function create(name = 'app'): Promise<string> {
  return (await first.containers.create(pod.id, containerConfig(name), signal())).id;
}

async function running(name = 'app'): Promise<string> {
  const id = await create(name);
  await first.containers.start(id, signal());
  return id;
}

/** berthd goes, as in a restart or a crash, and comes again. */
async function restart(): Promise<RunningEngine> {
  await first.close();
  const engine = world.engine();
  await engine.recover();
  return engine;
}

const exited = (engine: RunningEngine, id: string): Promise<void> =>
  vi.waitFor(() => {
    expect(engine.containers.get(id).state).toBe('exited');
  });

test('after a restart all is as before: pods, addresses, containers, and their watch', async () => {
  const [created, id] = [await create('created'), await running()];
  await first.close();
  const before = [first.pods.list(anyPod), first.containers.list(anyContainer)];
  const engine = await restart();
  expect([engine.pods.list(anyPod), engine.containers.list(anyContainer)]).toEqual(before);
  await engine.containers.start(created, signal());
  world.shims.get(id).finish(3);
  await exited(engine, id);
  expect(engine.containers.get(id).exit).toMatchObject({ exitCode: 3, reason: 'Error' });
  await engine.pods.remove(pod.id, signal());
  expect(world.leftovers()).toEqual([]);
});

test('what an earlier berthd ran beside the main process is ended once; a shim that cannot do that is taken over all the same', async () => {
  const [id, stubborn] = [await running(), await running('stubborn')];
  expect(world.shims.get(id).execsEnded).toBe(0);
  world.shims.get(stubborn).endExecsError = new BerthError('unimplemented', 'an older shim');
  const engine = await restart();
  expect(world.shims.get(id).execsEnded).toBe(1);
  expect([id, stubborn].map((each) => engine.containers.get(each).state)).toEqual(['running', 'running']);
});

test('a name that lives stays taken', async () => {
  const engine = await restart();
  await expect(engine.pods.run(podConfig('web'), signal())).rejects.toMatchObject({ kind: 'already-exists' });
});

test('an exit while berthd was away is not lost', async () => {
  const [ended, gone] = [await running('ended'), await running('gone')];
  await first.close();
  world.shims.get(ended).finish(7);
  world.shims.records.set(world.shims.get(gone).handle.bundle, { exitCode: 9, exitedAtNs: BigInt(Date.now()) * 1_000_000n, oomKilled: true });
  world.shims.shims.delete(gone);
  const engine = await restart();
  await exited(engine, ended);
  expect(engine.containers.get(ended).exit).toMatchObject({ exitCode: 7 });
  expect(engine.containers.get(gone).exit).toMatchObject({ exitCode: 9, reason: 'OOMKilled' });
});

test('after a reboot: containers have ended with the node, pods are notready, and every address is given back', async () => {
  const [created, id] = [await create('created'), await running()];
  await first.close();
  world.reboot();
  const engine = await restart();
  expect(engine.containers.get(id).exit).toMatchObject({ exitCode: 255, reason: 'NodeRebooted', message: 'the node was rebooted while the container ran' });
  expect(engine.containers.get(created).state).toBe('created');
  expect(engine.pods.get(pod.id)).toMatchObject({ state: 'notready', networkHeld: false });
  expect(world.network.detached).toEqual([{ id: pod.id, netnsPath: '', hadResult: true }]);
  await expect(engine.containers.start(created, signal())).rejects.toMatchObject({ kind: 'precondition' });
  await engine.pods.remove(pod.id, signal());
  expect(world.leftovers()).toEqual([]);
});

test('of a pod that did not survive clients hear at once, and plugins when it is stopped', async () => {
  await first.close();
  world.reboot();
  const engine = await restart();
  const { value } = await engine.events(signal())[Symbol.asyncIterator]().next();
  expect(value).toMatchObject({ type: 'stopped', containerId: pod.id, pod: { state: 'notready' } });
  world.nri.active = true;
  await engine.pods.stop(pod.id, signal());
  await engine.pods.stop(pod.id, signal());
  expect(world.nri.events).toEqual(['stop-pod web']);
});

test('after a reboot with a run directory that stayed, plugins are not sent to a file that is no namespace', async () => {
  await first.close();
  world.agent.reboot();
  world.state.rebooted = true;
  await restart();
  expect(world.network.detached).toEqual([{ id: pod.id, netnsPath: '', hadResult: true }]);
});

test('after a reboot whose DEL fails, the address is given back by a later stop', async () => {
  await first.close();
  world.reboot();
  world.network.failingDetaches = 1;
  const engine = await restart();
  expect(engine.pods.get(pod.id)).toMatchObject({ state: 'notready', networkHeld: true });
  await engine.pods.stop(pod.id, signal());
  expect(world.network.leases.size).toBe(0);
});

test('a run directory that was wiped under the daemon makes its pods notready', async () => {
  await first.close();
  rmSync(world.config.runRoot, { recursive: true });
  world.agent.reboot();
  const engine = await restart();
  expect(engine.pods.get(pod.id).state).toBe('notready');
});

test('broken records are set aside, what they stood for is buried, and the rest is there', async () => {
  const id = await running();
  const other = await first.pods.run(podConfig('other'), signal());
  await first.close();
  world.state.put('pod', pod.id, { id: pod.id, state: 'rea' });
  world.state.put('pod', '../../etc', { id: '../../etc' });
  world.state.put('container', 'x', 'not even an object');
  const engine = await restart();
  expect(engine.pods.list(anyPod).map((each) => each.id)).toEqual([other.id]);
  expect(world.state.quarantined.map((line) => line.split(':')[0]).toSorted()).toEqual(['container/x', `container/${id}`, 'pod/../../etc', `pod/${pod.id}`].toSorted());
  await engine.pods.remove(other.id, signal());
  await vi.waitFor(() => {
    expect(world.leftovers()).toEqual([]);
  });
  expect(world.network.detached.map((each) => each.id)).toContain(pod.id);
});

test('what no record names is removed, also a shim that still runs; images’ snapshots are not touched', async () => {
  const id = await running();
  await first.close();
  const bundle = join(world.config.runRoot, 'containers', id);
  writeFileSync(join(bundle, 'address'), `unix://${id}\n`);
  const { signals } = world.shims.get(id);
  world.state.delete('container', id);
  await world.snapshotter.prepare('unpack-sha256:1' as SnapshotKey, undefined);
  const stray = join(world.config.runRoot, 'pods', 'f'.repeat(64));
  mkdirSync(stray, { recursive: true });
  const engine = await restart();
  await vi.waitFor(() => {
    expect([existsSync(bundle), existsSync(stray), world.shims.shims.size, world.snapshotter.stat(id as SnapshotKey)]).toEqual([false, false, 0, undefined]);
  });
  expect(signals).toEqual([{ signalNumber: 9, all: false }]);
  expect(world.snapshotter.stat('unpack-sha256:1' as SnapshotKey)).toBeDefined();
  expect(engine.pods.list(anyPod)).toHaveLength(1);
});

test('the task of an ended container that was not deleted is deleted now', async () => {
  const id = await running();
  const shim = world.shims.get(id);
  const end = vi.spyOn(shim, 'end').mockImplementation(() => {
    throw new Error('busy');
  });
  shim.finish(0);
  await exited(first, id);
  await first.close();
  end.mockRestore();
  await restart();
  await vi.waitFor(() => {
    expect(world.shims.shims.size).toBe(0);
  });
});

test('a pod whose pause process is gone is notready', async () => {
  const shared = await first.pods.run(podConfig('shared', { security: security({ namespaces: { ...kubeNamespaces, pid: 'pod' } }) }), signal());
  await first.close();
  const record = world.state.load('pod').find(({ id }) => id === shared.id);
  world.state.put('pod', shared.id, { ...(record?.value as object), pausePid: 2 ** 30 });
  const engine = await restart();
  expect(engine.pods.get(shared.id).state).toBe('notready');
  expect(engine.pods.get(pod.id).state).toBe('ready');
});

test('after a reboot image volumes let go of their images', async () => {
  const volume = { containerPath: '/v', hostPath: '', readonly: true, recursiveReadOnly: false, selinuxRelabel: false, propagation: 'private', uidMappings: [], gidMappings: [], image: 'registry.test/app:1', imageSubPath: '' } as const;
  await first.containers.create(pod.id, containerConfig('app', { mounts: [volume] }), signal());
  const volumes = (): readonly string[] => [...world.snapshotter.snapshots.keys()].filter((key) => key.startsWith('volume-'));
  expect(volumes()).toHaveLength(1);
  await first.close();
  world.reboot();
  await restart();
  await vi.waitFor(() => {
    expect(volumes()).toEqual([]);
  });
});

test('a half-removed container is removed to the end', async () => {
  const id = await create();
  vi.spyOn(world.snapshotter, 'remove').mockRejectedValueOnce(new Error('disk'));
  await expect(first.containers.remove(id, signal())).rejects.toThrow('disk');
  const engine = await restart();
  await vi.waitFor(() => {
    expect(engine.containers.list(anyContainer)).toEqual([]);
  });
});

test('a start that the crash cut short counts as failed, and its shim is gone', async () => {
  const [unlaunched, launched] = [await create('unlaunched'), await create('launched')];
  world.shims.launchGate = new Promise(() => undefined);
  void first.containers.start(unlaunched, signal()).catch(() => undefined);
  await vi.waitFor(() => {
    expect(first.containers.get(unlaunched).state).toBe('starting');
  });
  world.shims.launchGate = undefined;
  world.shims.onLaunch = (shim) => {
    shim.frozen = true;
  };
  void first.containers.start(launched, signal()).catch(() => undefined);
  await vi.waitFor(() => {
    expect(first.containers.get(launched).task).toBeDefined();
  });
  world.shims.get(launched).frozen = false;
  const engine = world.engine();
  await engine.recover();
  for (const id of [unlaunched, launched]) expect(engine.containers.get(id)).toMatchObject({ state: 'exited', exit: { exitCode: 128, reason: 'StartError' } });
  expect(world.shims.shims.size).toBe(0);
});

test('the features of each runtime are asked once', async () => {
  world.agent.features = JSON.stringify({ mountOptions: ['ro', 'rro'], linux: { namespaces: ['pid', 'user'], mountExtensions: { idmap: { enabled: true } } } });
  const engine = await restart();
  world.agent.features = '{}';
  expect(engine.status().handlers).toMatchObject([
    { name: 'crun', isDefault: true, features: { recursiveReadOnlyMounts: true, userNamespaces: true, checkpoints: false } },
    { name: 'runc', isDefault: false },
  ]);
});
