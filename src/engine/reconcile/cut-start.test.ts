import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { BerthError } from '../../lib/errors.ts';
import type { RunningEngine } from '../engine.ts';
import { containerConfig, podConfig } from '../testing/configs.ts';
import { World } from '../testing/world.ts';

const signal = (): AbortSignal => AbortSignal.timeout(15_000);

let world: World;
let podId: string;
let id: string;

/** A container whose start was cut short before its shim was known. */
beforeEach(async () => {
  world = new World();
  const first = world.engine();
  podId = (await first.pods.run(podConfig('web'), signal())).id;
  ({ id } = await first.containers.create(podId, containerConfig('app'), signal()));
  world.shims.launchGate = new Promise(() => undefined);
  void first.containers.start(id, signal()).catch(() => undefined);
  await vi.waitFor(() => {
    expect(first.containers.get(id).state).toBe('starting');
  });
});

afterEach(async () => {
  vi.restoreAllMocks();
  await world.close();
});

async function recoverWithout(failures: number): Promise<RunningEngine> {
  const bury = vi.spyOn(world.shims, 'bury');
  for (let count = 0; count < failures; count += 1) bury.mockRejectedValueOnce(new BerthError('unavailable', 'berth-agent does not run'));
  const engine = world.engine();
  await engine.recover();
  return engine;
}

test('what a cut start left is cleaned up again when the first try fails', async () => {
  const engine = await recoverWithout(1);
  expect(engine.containers.get(id).state).toBe('unknown');
  await vi.waitFor(() => {
    expect(engine.containers.get(id)).toMatchObject({ state: 'exited', exit: { exitCode: 128, reason: 'StartError' } });
  }, 3000);
});

test('its pod can be removed while nobody has cleaned up yet', async () => {
  const engine = await recoverWithout(2);
  await expect(engine.pods.remove(podId, signal())).rejects.toMatchObject({ kind: 'unavailable' });
  await engine.pods.remove(podId, signal());
  expect(world.shims.buried).toEqual([id]);
  expect(world.leftovers()).toEqual([]);
});
