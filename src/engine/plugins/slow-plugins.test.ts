import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { abortable } from '../../lib/keyed-mutex.ts';
import type { Nri } from '../../nri/port.ts';
import type { RunningEngine } from '../engine.ts';
import { containerConfig, podConfig } from '../testing/configs.ts';
import { World } from '../testing/world.ts';

const signal = (): AbortSignal => AbortSignal.timeout(15_000);
/** Stands for the time that an undo may take. */
const undoMs = 50;

vi.mock(import('../clean-up-signal.ts'), () => ({ cleanUpSignal: () => AbortSignal.timeout(undoMs) }));

let world: World;
let engine: RunningEngine;
let line: PromiseWithResolvers<void>;
let told: string[];

/** As a plugin with many others in line before it: what is told waits for the line, and is dropped when it may not. */
async function inLine(event: string, until: AbortSignal): Promise<void> {
  await abortable(line.promise, until);
  told.push(event);
}

beforeEach(async () => {
  world = new World();
  engine = world.engine();
  await engine.recover();
  [line, told] = [Promise.withResolvers(), []];
  world.nri.active = true;
  const nri: Nri = world.nri;
  nri.podEvent = async (event, { name }, until) => inLine(`${event}-pod ${name}`, until);
  nri.containerEvent = async (event, { container }, until) => inLine(`${event} ${container.name}`, until);
  nri.stopContainer = async ({ container }, until) => inLine(`stop ${container.name}`, until);
});

afterEach(async () => {
  await world.close();
});

/** A running container whose plugins were quick until now. */
async function running(): Promise<{ readonly pod: string; readonly id: string }> {
  line.resolve();
  const pod = await engine.pods.run(podConfig('web'), signal());
  const { id } = await engine.containers.create(pod.id, containerConfig('app'), signal());
  await engine.containers.start(id, signal());
  [line, told] = [Promise.withResolvers(), []];
  return { pod: pod.id, id };
}

test('what has happened is told however long the line is, in order, while clients go on', async () => {
  const { pod, id } = await running();
  const startMs = performance.now();
  await engine.containers.stop(id, 0, signal());
  await engine.containers.remove(id, signal());
  await engine.pods.stop(pod, signal());
  await engine.pods.remove(pod, signal());
  expect(performance.now() - startMs).toBeLessThan(5000);
  expect(told).toEqual([]);
  expect(world.leftovers()).toEqual([]);
  line.resolve();
  await vi.waitFor(() => { expect(told).toHaveLength(4); });
  expect(told.filter((event) => event.endsWith('app'))).toEqual(['stop app', 'remove app']);
  expect(told.filter((event) => event.endsWith('web'))).toEqual(['stop-pod web', 'remove-pod web']);
  expect(world.warnings).toEqual([]);
});

test('a start waits for what is still to be told, but no longer than its client', async () => {
  line.resolve();
  const pod = await engine.pods.run(podConfig('web'), signal());
  line = Promise.withResolvers();
  const { id } = await engine.containers.create(pod.id, containerConfig('app'), signal());
  await expect(engine.containers.start(id, AbortSignal.timeout(undoMs))).rejects.toThrow();
});

test('the line does not hold up the end of the engine', async () => {
  const { id } = await running();
  await engine.containers.stop(id, 0, signal());
  await engine.close();
  expect(told).toEqual([]);
  expect(world.warnings).toEqual([]);
});
