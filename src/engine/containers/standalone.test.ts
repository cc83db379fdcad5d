import { expect, test, vi } from 'vitest';
import { BerthError } from '../../lib/errors.ts';
import type { RunningEngine } from '../engine.ts';
import type { Container } from '../model/container.ts';
import type { PodConfig } from '../model/pod.ts';
import { containerConfig, podConfig } from '../testing/configs.ts';
import { fakeImage } from '../testing/fake-images.ts';
import { restartFixture, signal } from '../testing/restart-fixture.ts';

const fixture = restartFixture();

const own = (name: string): PodConfig => podConfig(name, { owner: 'docker', plugins: undefined });
const docker = (engine: RunningEngine = fixture.first) => engine.of('docker');
const make = (name = 'db'): Promise<Container> => docker().containers.createStandalone({ own: own(name) }, containerConfig(name), signal());
const podOf = ({ podId }: Container, engine = fixture.first): string => docker(engine).pods.get(podId).state;

async function ended(id: string, engine = fixture.first): Promise<Container> {
  await vi.waitFor(() => {
    const container = docker(engine).containers.get(id);
    expect([container.state, docker(engine).pods.get(container.podId).state]).toEqual(['exited', 'notready']);
  });
  return docker(engine).containers.get(id);
}

test('a container is restarted three times in a pod of its own, which is ready from each start to its exit', async () => {
  const created = await make();
  const { id } = created;
  expect([created.state, podOf(created)]).toEqual(['created', 'notready']);
  expect(fixture.world.network.leases.has(created.podId)).toBe(false);
  const addresses = new Set<string | undefined>();
  for (const run of [1, 2, 3]) {
    await docker().containers.start(id, signal());
    expect([docker().containers.get(id), podOf(created)]).toMatchObject([{ state: 'running', runs: run, exit: undefined }, 'ready']);
    addresses.add(fixture.world.network.leases.get(created.podId));
    fixture.world.shims.get(id).finish(run);
    expect(await ended(id)).toMatchObject({ exit: { exitCode: run }, runs: run });
    expect(fixture.world.network.detached).toHaveLength(run);
  }
  expect(addresses.size).toBe(3);
  await docker().containers.remove(id, signal());
  expect([docker().containers.list({}), docker().pods.list({})]).toEqual([[], []]);
  await fixture.first.pods.remove(fixture.pod.id, signal());
  expect(fixture.world.leftovers()).toEqual([]);
});

test('what it writes is durable', async () => {
  const { id } = await make();
  expect(fixture.world.snapshotter.stat(id as never)).toMatchObject({ durable: true });
});

test('a container joins the pod of another, which goes with the last of them', async () => {
  const first = await make();
  const second = await docker().containers.createStandalone({ joins: first.id }, containerConfig('joined'), signal());
  expect(second).toMatchObject({ place: 'joined', podId: first.podId });
  await expect(docker().containers.start(second.id, signal())).rejects.toMatchObject({ kind: 'precondition', message: expect.stringContaining('is not ready') });
  await docker().containers.start(first.id, signal());
  await docker().containers.start(second.id, signal());
  await expect(docker().containers.createStandalone({ joins: second.id }, containerConfig('third'), signal())).rejects.toMatchObject({ kind: 'precondition' });
  await docker().containers.remove(first.id, signal());
  expect(docker().pods.get(first.podId).state).toBe('notready');
  await docker().containers.remove(second.id, signal());
  expect(docker().pods.list({})).toEqual([]);
});

test('a failed start leads back to where it came from, and the next one may succeed', async () => {
  const created = await make();
  fixture.world.shims.launchError = new BerthError('internal', 'no such program');
  await expect(docker().containers.start(created.id, signal())).rejects.toThrow('no such program');
  expect([docker().containers.get(created.id).state, podOf(created)]).toEqual(['created', 'notready']);
  fixture.world.shims.launchError = undefined;
  await docker().containers.start(created.id, signal());
  expect(docker().containers.get(created.id).state).toBe('running');
});

test('a name is its owner\u2019s once, whatever pod it is in', async () => {
  const { id } = await make();
  await expect(make()).rejects.toMatchObject({ kind: 'already-exists', message: `container db exists already as ${id}` });
});

test('after a reboot it has exited, keeps its files and starts again', async () => {
  const created = await make();
  await docker().containers.start(created.id, signal());
  await fixture.first.close();
  fixture.world.reboot();
  const engine = await fixture.restart();
  expect(await ended(created.id, engine)).toMatchObject({ exit: { exitCode: 255, reason: 'NodeRebooted' }, runs: 1 });
  await docker(engine).containers.start(created.id, signal());
  expect(docker(engine).containers.get(created.id)).toMatchObject({ state: 'running', runs: 2 });
});

test('a second start that a crash cuts short is not taken for the first', async () => {
  const { id } = await make();
  await docker().containers.start(id, signal());
  fixture.world.shims.get(id).finish(0);
  await ended(id);
  fixture.world.shims.onLaunch = (shim) => {
    shim.startGate = new Promise(() => undefined);
  };
  void docker().containers.start(id, signal()).catch(() => undefined);
  await vi.waitFor(() => {
    expect(docker().containers.get(id).task).toBeDefined();
  });
  expect(docker().containers.get(id)).toMatchObject({ state: 'starting', startedAtNs: undefined });
});

test('what a run could not give back is released after a restart, and a pod whose container is lost goes', async () => {
  const [stuck, lost] = [await make('stuck'), await make('lost')];
  await docker().containers.start(stuck.id, signal());
  fixture.world.network.failingDetaches = 1;
  fixture.world.shims.get(stuck.id).finish(0);
  await vi.waitFor(() => {
    expect([docker().containers.get(stuck.id).state, fixture.world.network.failingDetaches]).toEqual(['exited', 0]);
  });
  expect(fixture.world.network.leases.has(stuck.podId)).toBe(true);
  await fixture.first.close();
  fixture.world.state.delete('container', lost.id);
  const engine = await fixture.restart();
  await vi.waitFor(() => {
    expect(fixture.world.network.leases.has(stuck.podId)).toBe(false);
    expect(docker(engine).pods.list({}).map(({ id }) => id)).toEqual([stuck.podId]);
  });
});

test('the late undo of a failed start leaves the next one alone', async () => {
  const created = await make();
  vi.spyOn(fixture.world.agent, 'createNamespaces').mockRejectedValueOnce(new BerthError('internal', 'no namespace'));
  vi.spyOn(fixture.world.agent, 'releaseNamespaces').mockRejectedValueOnce(new BerthError('internal', 'not now'));
  await expect(docker().containers.start(created.id, signal())).rejects.toThrow('no namespace');
  await docker().containers.start(created.id, signal());
  // The undo is tried again after a second.
  await new Promise((resolve) => {
    setTimeout(resolve, 1300);
  });
  expect([podOf(created), fixture.world.network.leases.has(created.podId)]).toEqual(['ready', true]);
});

test('plugins that hear of it are told of each run, and nothing of it stays for them', async () => {
  const engine = await fixture.restart();
  fixture.world.nri.active = true;
  const { id } = await docker(engine).containers.createStandalone({ own: podConfig('db', { owner: 'docker' }) }, containerConfig('db'), signal());
  await docker(engine).containers.start(id, signal());
  fixture.world.shims.get(id).finish(0);
  await ended(id, engine);
  expect(fixture.world.nri.host?.containers()).toEqual([]);
  expect(fixture.world.nri.events.filter((event) => event.endsWith(' db'))).toEqual(expect.arrayContaining(['run-pod db', 'create db', 'start db', 'post-start db', 'stop db', 'stop-pod db']));
});

test('an image’s volume that was copied in part is copied anew, and a whole one stays as runs left it', async () => {
  fixture.world.images.images.push(fakeImage('db', { volumes: ['/data'] }));
  const { id } = await docker().containers.createStandalone({ own: own('db') }, containerConfig('db', { image: 'registry.test/db:1' }), signal());
  const cut = vi.spyOn(fixture.world.agent, 'copySnapshotTree').mockReturnValueOnce(new Promise(() => undefined));
  void docker().containers.start(id, signal()).catch(() => undefined);
  await vi.waitFor(() => {
    expect(cut).toHaveBeenCalledTimes(1);
  });
  // A crash in the middle of it.
  const engine = await fixture.restart();
  await ended(id, engine);
  for (const run of [1, 2]) {
    await docker(engine).containers.start(id, signal());
    fixture.world.shims.get(id).finish(run);
    await ended(id, engine);
  }
  expect(fixture.world.agent.copied).toEqual(['/data']);
});
