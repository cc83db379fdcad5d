import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { RunningEngine } from './engine.ts';
import { World } from './testing/world.ts';

let world: World;
let engine: RunningEngine;

beforeEach(() => {
  world = new World();
  engine = world.engine();
});

afterEach(async () => {
  await world.close();
});

test('the runtime is ready as long as the agent answers', async () => {
  expect(engine.status()).toMatchObject({ runtimeReady: true, runtimeReason: '', cgroupDriver: 'cgroupfs', network: { ready: true } });
  world.agent.answers = false;
  await vi.waitFor(() => {
    expect(engine.status()).toMatchObject({ runtimeReady: false, runtimeReason: 'berth-agent does not answer: the agent is away' });
  });
  world.agent.answers = true;
  await vi.waitFor(() => {
    expect(engine.status().runtimeReady).toBe(true);
  });
});

test('the network’s own word is passed on', () => {
  world.network.ready = false;
  expect(engine.status().network).toMatchObject({ ready: false, reason: 'no config' });
});

test('many looks at once ask the agent once', () => {
  const info = vi.spyOn(world.agent, 'info');
  for (let look = 0; look < 5; look += 1) engine.status();
  expect(info).toHaveBeenCalledTimes(1);
});
