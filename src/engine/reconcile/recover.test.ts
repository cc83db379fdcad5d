import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { BerthError } from '../../lib/errors.ts';
import type { TaskExit } from '../../shim/port.ts';
import type { SnapshotKey } from '../../lib/ids.ts';
import type { RunningEngine } from '../engine.ts';
import type { Fact } from '../model/fact.ts';
import { containerConfig, kubeNamespaces, podConfig, security } from '../testing/configs.ts';
import { restartFixture, signal } from '../testing/restart-fixture.ts';


const fixture = restartFixture();
const { create, running, restart } = fixture;

const exited = (engine: RunningEngine, id: string): Promise<void> =>
  vi.waitFor(() => {
    expect(engine.containers.get(id).state).toBe('exited');
  });

test('after a restart all is as before: pods, addresses, containers, and their watch', async () => {
  const [created, id] = [await create('created'), await running()];
  await fixture.first.close();
  const before = [fixture.first.pods.list(), fixture.first.containers.list()];
  const engine = await restart();
  expect([engine.pods.list(), engine.containers.list()]).toEqual(before);
  await engine.containers.start(created, signal());
  fixture.world.shims.get(id).finish(3);
  await exited(engine, id);
  expect(engine.containers.get(id).exit).toMatchObject({ exitCode: 3, reason: 'Error' });
  await engine.pods.remove(fixture.pod.id, signal());
  expect(fixture.world.leftovers()).toEqual([]);
});

test('what an earlier berthd ran beside the main process is ended once; a shim that cannot do that is taken over all the same', async () => {
  const [id, stubborn] = [await running(), await running('stubborn')];
  expect(fixture.world.shims.get(id).execsEnded).toBe(0);
  fixture.world.shims.get(stubborn).endExecsError = new BerthError('unimplemented', 'an older shim');
  const engine = await restart();
  expect(fixture.world.shims.get(id).execsEnded).toBe(1);
  expect([id, stubborn].map((each) => engine.containers.get(each).state)).toEqual(['running', 'running']);
});

test('a name that lives stays taken', async () => {
  const engine = await restart();
  await expect(engine.pods.run(podConfig('web'), signal())).rejects.toMatchObject({ kind: 'already-exists' });
});

test('an exit while berthd was away is not lost', async () => {
  const [ended, gone] = [await running('ended'), await running('gone')];
  await fixture.first.close();
  fixture.world.shims.get(ended).finish(7);
  fixture.world.shims.records.set(fixture.world.shims.get(gone).handle.bundle, { exitCode: 9, exitedAtNs: BigInt(Date.now()) * 1_000_000n, oomKilled: true });
  fixture.world.shims.shims.delete(gone);
  const engine = await restart();
  await exited(engine, ended);
  expect(engine.containers.get(ended).exit).toMatchObject({ exitCode: 7 });
  expect(engine.containers.get(gone).exit).toMatchObject({ exitCode: 9, reason: 'OOMKilled' });
});

test('after a reboot: containers have ended with the node, pods are notready, and every address is given back', async () => {
  const [created, id] = [await create('created'), await running()];
  await fixture.first.close();
  fixture.world.reboot();
  const engine = await restart();
  expect(engine.containers.get(id).exit).toMatchObject({ exitCode: 255, reason: 'NodeRebooted', message: 'the node was rebooted while the container ran' });
  expect(engine.containers.get(created).state).toBe('created');
  expect(engine.pods.get(fixture.pod.id)).toMatchObject({ state: 'notready', networkHeld: false });
  expect(fixture.world.network.detached).toEqual([{ id: fixture.pod.id, netnsPath: '', hadResult: true }]);
  await expect(engine.containers.start(created, signal())).rejects.toMatchObject({ kind: 'precondition' });
  await engine.pods.remove(fixture.pod.id, signal());
  expect(fixture.world.leftovers()).toEqual([]);
});

test('after a reboot with a run directory that stayed, the end that a shim recorded before is what counts', async () => {
  const [known, killed, id] = [await running('known'), await running('killed'), await running()];
  await fixture.first.close();
  const exitedAtNs = BigInt(Date.now() + 1) * 1_000_000n;
  const record = (of: string, exit: TaskExit): unknown => fixture.world.shims.records.set(fixture.world.shims.get(of).handle.bundle, exit);
  record(known, { exitCode: 7, exitedAtNs, oomKilled: false });
  record(killed, { exitCode: 137, exitedAtNs, oomKilled: true });
  fixture.world.agent.reboot();
  fixture.world.state.rebooted = true;
  const engine = await restart();
  expect(engine.containers.get(known).exit).toMatchObject({ exitCode: 7, reason: 'Error', finishedAtNs: exitedAtNs });
  expect(engine.containers.get(killed).exit).toMatchObject({ exitCode: 137, reason: 'OOMKilled' });
  expect(engine.containers.get(id).exit).toMatchObject({ exitCode: 255, reason: 'NodeRebooted' });
});

test('of a pod that did not survive clients hear at once, and plugins when it is stopped', async () => {
  await fixture.first.close();
  fixture.world.reboot();
  const facts: Fact[] = [];
  const engine = await restart((early) => {
    early.onFact((fact) => facts.push(fact));
  });
  expect(facts).toMatchObject([{ owner: 'cri', kind: 'sandbox', action: 'stopped', id: fixture.pod.id }]);
  fixture.world.nri.active = true;
  await engine.pods.stop(fixture.pod.id, signal());
  await engine.pods.stop(fixture.pod.id, signal());
  expect(fixture.world.nri.events).toEqual(['stop-pod web']);
});

test('after a reboot with a run directory that stayed, plugins are not sent to a file that is no namespace', async () => {
  await fixture.first.close();
  fixture.world.agent.reboot();
  fixture.world.state.rebooted = true;
  await restart();
  expect(fixture.world.network.detached).toEqual([{ id: fixture.pod.id, netnsPath: '', hadResult: true }]);
});

test('after a reboot whose DEL fails, the address is given back by a later stop', async () => {
  await fixture.first.close();
  fixture.world.reboot();
  fixture.world.network.failingDetaches = 1;
  const engine = await restart();
  expect(engine.pods.get(fixture.pod.id)).toMatchObject({ state: 'notready', networkHeld: true });
  await engine.pods.stop(fixture.pod.id, signal());
  expect(fixture.world.network.leases.size).toBe(0);
});

test('a run directory that was wiped under the daemon makes its pods notready', async () => {
  await fixture.first.close();
  rmSync(fixture.world.config.runRoot, { recursive: true });
  fixture.world.agent.reboot();
  const engine = await restart();
  expect(engine.pods.get(fixture.pod.id).state).toBe('notready');
});

test('broken records are set aside, what they stood for is buried, and the rest is there', async () => {
  const id = await running();
  const other = await fixture.first.pods.run(podConfig('other'), signal());
  await fixture.first.close();
  fixture.world.state.put('pod', fixture.pod.id, { id: fixture.pod.id, state: 'rea' });
  fixture.world.state.put('pod', '../../etc', { id: '../../etc' });
  fixture.world.state.put('container', 'x', 'not even an object');
  const engine = await restart();
  expect(engine.pods.list().map((each) => each.id)).toEqual([other.id]);
  expect(fixture.world.state.quarantined.map((line) => line.split(':')[0]).toSorted()).toEqual(['container/x', `container/${id}`, 'pod/../../etc', `pod/${fixture.pod.id}`].toSorted());
  await engine.pods.remove(other.id, signal());
  await vi.waitFor(() => {
    expect(fixture.world.leftovers()).toEqual([]);
  });
  expect(fixture.world.network.detached.map((each) => each.id)).toContain(fixture.pod.id);
});

test('what no record names is removed, also a shim that still runs; images’ snapshots are not touched', async () => {
  const id = await running();
  await fixture.first.close();
  const bundle = join(fixture.world.config.runRoot, 'containers', id);
  writeFileSync(join(bundle, 'address'), `unix://${id}\n`);
  const { signals } = fixture.world.shims.get(id);
  fixture.world.state.delete('container', id);
  await fixture.world.snapshotter.prepare('unpack-sha256:1' as SnapshotKey, undefined);
  const stray = join(fixture.world.config.runRoot, 'pods', 'f'.repeat(64));
  mkdirSync(stray, { recursive: true });
  const engine = await restart();
  await vi.waitFor(() => {
    expect([existsSync(bundle), existsSync(stray), fixture.world.shims.shims.size, fixture.world.snapshotter.stat(id as SnapshotKey)]).toEqual([false, false, 0, undefined]);
  });
  expect(signals).toEqual([{ signalNumber: 9, all: false }]);
  expect(fixture.world.snapshotter.stat('unpack-sha256:1' as SnapshotKey)).toBeDefined();
  expect(engine.pods.list()).toHaveLength(1);
});

test('the task of an ended container that was not deleted is deleted now', async () => {
  const id = await running();
  const shim = fixture.world.shims.get(id);
  const end = vi.spyOn(shim, 'end').mockImplementation(() => {
    throw new Error('busy');
  });
  shim.finish(0);
  await exited(fixture.first, id);
  await fixture.first.close();
  end.mockRestore();
  await restart();
  await vi.waitFor(() => {
    expect(fixture.world.shims.shims.size).toBe(0);
  });
});

test('a pod whose pause process is gone is notready', async () => {
  const shared = await fixture.first.pods.run(podConfig('shared', { security: security({ namespaces: { ...kubeNamespaces, pid: 'pod' } }) }), signal());
  await fixture.first.close();
  const record = fixture.world.state.load('pod').find(({ id }) => id === shared.id);
  fixture.world.state.put('pod', shared.id, { ...(record?.value as object), pausePid: 2 ** 30 });
  const engine = await restart();
  expect(engine.pods.get(shared.id).state).toBe('notready');
  expect(engine.pods.get(fixture.pod.id).state).toBe('ready');
});

test('after a reboot image volumes let go of their images', async () => {
  const volume = { containerPath: '/v', hostPath: '', readonly: true, recursiveReadOnly: false, selinuxRelabel: false, propagation: 'private', uidMappings: [], gidMappings: [], image: 'registry.test/app:1', imageSubPath: '' } as const;
  await fixture.first.containers.create(fixture.pod.id, containerConfig('app', { mounts: [volume] }), signal());
  const volumes = (): readonly string[] => [...fixture.world.snapshotter.snapshots.keys()].filter((key) => key.startsWith('volume-'));
  expect(volumes()).toHaveLength(1);
  await fixture.first.close();
  fixture.world.reboot();
  await restart();
  await vi.waitFor(() => {
    expect(volumes()).toEqual([]);
  });
});

test('a half-removed container is removed to the end', async () => {
  const id = await create();
  vi.spyOn(fixture.world.snapshotter, 'remove').mockRejectedValueOnce(new Error('disk'));
  await expect(fixture.first.containers.remove(id, signal())).rejects.toThrow('disk');
  const engine = await restart();
  await vi.waitFor(() => {
    expect(engine.containers.list()).toEqual([]);
  });
});

test('a start that the crash cut short counts as failed, and its shim is gone', async () => {
  const [unlaunched, launched] = [await create('unlaunched'), await create('launched')];
  fixture.world.shims.launchGate = new Promise(() => undefined);
  void fixture.first.containers.start(unlaunched, signal()).catch(() => undefined);
  await vi.waitFor(() => {
    expect(fixture.first.containers.get(unlaunched).state).toBe('starting');
  });
  fixture.world.shims.launchGate = undefined;
  fixture.world.shims.onLaunch = (shim) => {
    shim.frozen = true;
  };
  void fixture.first.containers.start(launched, signal()).catch(() => undefined);
  await vi.waitFor(() => {
    expect(fixture.first.containers.get(launched).task).toBeDefined();
  });
  fixture.world.shims.get(launched).frozen = false;
  const engine = fixture.world.engine();
  await engine.recover();
  for (const id of [unlaunched, launched]) expect(engine.containers.get(id)).toMatchObject({ state: 'exited', exit: { exitCode: 128, reason: 'StartError' } });
  expect(fixture.world.shims.shims.size).toBe(0);
});

test('the features of each runtime are asked once', async () => {
  fixture.world.agent.features = JSON.stringify({ mountOptions: ['ro', 'rro'], linux: { namespaces: ['pid', 'user'], mountExtensions: { idmap: { enabled: true } } } });
  const engine = await restart();
  fixture.world.agent.features = '{}';
  expect(engine.status().handlers).toMatchObject([
    { name: 'crun', isDefault: true, features: { recursiveReadOnlyMounts: true, userNamespaces: true, checkpoints: false } },
    { name: 'runc', isDefault: false },
  ]);
});
