import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { RunningEngine } from '../engine.ts';
import type { Pod } from '../model/pod.ts';
import { containerConfig, podConfig } from '../testing/configs.ts';
import { World } from '../testing/world.ts';

const anyContainer = { id: '', podId: '', state: undefined, labels: {} } as const;
const signal = (): AbortSignal => AbortSignal.timeout(15_000);

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

test('without a shim and a record nobody knows: 255, and what it left is buried', async () => {
  const id = await running();
  await first.close();
  world.shims.get(id).lost = true;
  const engine = await restart();
  expect(engine.containers.get(id).exit).toMatchObject({ exitCode: 255, reason: 'Unknown' });
  expect(world.shims.buried).toEqual([id]);
});

test('a shim that does not answer makes its container unknown, holds up no other, and can be removed', async () => {
  const [frozen, fine] = [await running('frozen'), await running('fine')];
  Object.assign(world.shims.get(frozen), { frozen: true, callMs: 30 });
  const engine = await restart();
  expect(engine.containers.get(frozen).state).toBe('unknown');
  expect(engine.containers.get(fine).state).toBe('running');
  expect(engine.containers.list({ ...anyContainer, state: 'unknown' })).toHaveLength(1);
  await engine.containers.remove(frozen, signal());
  expect(world.shims.buried).toEqual([frozen]);
});

test('a shim that answers later gives its container back', async () => {
  const id = await running();
  const attach = vi.spyOn(world.shims, 'attach').mockRejectedValueOnce(new Error('too slow'));
  const engine = await restart();
  expect(engine.containers.get(id).state).toBe('unknown');
  attach.mockRestore();
  await vi.waitFor(() => {
    expect(engine.containers.get(id).state).toBe('running');
  }, 3000);
});

test('a shim that answers later gives its container back, also when not even the doubt about it could be recorded', async () => {
  const id = await running();
  vi.spyOn(world.shims, 'attach').mockRejectedValueOnce(new Error('too slow'));
  await first.close();
  world.state.writesLeft = 0;
  const engine = world.engine();
  await engine.recover();
  expect(engine.containers.get(id).state).toBe('unknown');
  world.state.writesLeft = undefined;
  await vi.waitFor(() => {
    expect(engine.containers.get(id).state).toBe('running');
  }, 3000);
  await engine.containers.stop(id, 0, signal());
  expect(engine.containers.get(id).state).toBe('exited');
});

test('an exit while a shim could not be taken over is not lost', async () => {
  const id = await running();
  const shim = world.shims.get(id);
  shim.pause();
  vi.spyOn(shim, 'resume').mockImplementationOnce(() => {
    throw new Error('busy');
  });
  const engine = await restart();
  expect(engine.containers.get(id).state).toBe('unknown');
  shim.finish(3);
  await vi.waitFor(() => {
    expect(engine.containers.get(id)).toMatchObject({ state: 'exited', exit: { exitCode: 3, reason: 'Error' } });
  }, 3000);
});
