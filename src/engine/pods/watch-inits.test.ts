import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { kubeNamespaces, podConfig, security } from '../testing/configs.ts';
import { World } from '../testing/world.ts';
import { initLives } from './watch-inits.ts';

test('a first process lives while its number names one; a pod without one lacks nothing', () => {
  expect([0, process.pid, 2 ** 30].map((pausePid) => initLives({ pausePid }))).toEqual([true, true, false]);
});

test('a pod whose first process is gone is stopped, and others are not', async () => {
  const world = new World();
  try {
    const engine = world.engine();
    await engine.recover();
    const shared = podConfig('shared', { security: security({ namespaces: { ...kubeNamespaces, pid: 'pod' } }) });
    const lasting = await engine.pods.run(shared, AbortSignal.timeout(15_000));
    world.agent.pausePid = 2 ** 30;
    const broken = await engine.pods.run({ ...shared, key: 'broken' }, AbortSignal.timeout(15_000));
    for (const deadline = Date.now() + 15_000; engine.pods.get(broken.id).state === 'ready' && Date.now() < deadline; ) await sleep(20);
    expect([engine.pods.get(broken.id).state, engine.pods.get(lasting.id).state]).toEqual(['notready', 'ready']);
  } finally {
    await world.close();
  }
});
