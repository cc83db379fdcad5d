/** OCI hooks that hang: each costs its own container only, and leaves nothing. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { grpcStatus } from '../fixtures/cri.ts';
import { noHoldings } from '../fixtures/leaks.ts';
import { sleepersOf } from '../fixtures/sleepers.ts';
import { CriSuite, waiting, type SuitePod } from './suite.ts';

/** Seconds, by which the hooks of this file are told from everything else. */
const naps = '4327';

let suite: CriSuite;
let specs: string;
beforeAll(async () => {
  specs = mkdtempSync(join(tmpdir(), 'berth-cdi-'));
  suite = await CriSuite.start({ containers: { cdi_spec_dirs: [specs] } });
});
afterEach(async () => {
  await suite.node.removePods();
  for (const pid of sleepers()) process.kill(Number(pid), 'SIGKILL');
}, 120_000);
afterAll(async () => {
  await suite?.close();
  rmSync(specs, { recursive: true });
});

const sleepers = (): readonly string[] => sleepersOf(naps);

/** A device whose hook sleeps, in a child with a session of its own, too. */
function sleepingDevice(hookName: string): object {
  const hook = { hookName, path: '/bin/sh', args: ['sh', '-c', `setsid sleep ${naps} & sleep ${naps}`], env: ['PATH=/usr/bin:/bin'] };
  writeFileSync(join(specs, 'sleep.json'), JSON.stringify({ cdiVersion: '0.6.0', kind: 'acme.example/sleep', devices: [{ name: hookName, containerEdits: { hooks: [hook] } }] }));
  return { CDI_devices: [{ name: `acme.example/sleep=${hookName}` }] };
}

async function goes(pod: SuitePod): Promise<void> {
  await suite.cri.stopPod(pod.id);
  await suite.cri.removePod(pod.id);
  await expect.poll(sleepers).toEqual([]);
  expect(await suite.node.leaks(5000)).toEqual(noHoldings);
}

const handlers = ['crun', 'runc'] as const;
const cases = handlers.flatMap((handler) => ['prestart', 'createRuntime', 'createContainer', 'poststart'].map((hook) => [hook, handler] as const));

test.each(cases)('a start whose %s hook hangs under %s ends at its deadline, delays nobody, and its pod goes', async (hook, handler) => {
  const pod = await suite.pod({}, handler);
  const id = await suite.create(pod, waiting, sleepingDevice(hook));
  const late = expect(suite.cri.call('StartContainer', { container_id: id }, 5000)).rejects.toMatchObject({ code: grpcStatus.DEADLINE_EXCEEDED });
  await expect.poll(() => sleepers().length).toBeGreaterThan(0);
  const other = await suite.pod({ metadata: { name: 'other', namespace: 'default', uid: 'other', attempt: 0 } });
  await suite.run(other, waiting);
  await late;
  await suite.cri.removePod(other.id);
  await goes(pod);
}, 120_000);

// crun leaves this one to the container, whose start it calls done; runc waits.
test.each(handlers)('a container whose startContainer hook hangs under %s goes with it', async (handler) => {
  const pod = await suite.pod({}, handler);
  const id = await suite.create(pod, waiting, sleepingDevice('startContainer'));
  await suite.cri.call('StartContainer', { container_id: id }, 5000).catch(() => undefined);
  expect(sleepers()).not.toEqual([]);
  await goes(pod);
}, 120_000);

test.each(handlers)('a container whose poststop hook hangs under %s is stopped and removed, and its pod goes', async (handler) => {
  const pod = await suite.pod({}, handler);
  const id = await suite.run(pod, waiting, sleepingDevice('poststop'));
  await suite.cri.stopContainer(id, 1);
  expect(await suite.cri.containerStatus(id)).toMatchObject({ state: 'CONTAINER_EXITED' });
  await suite.cri.removeContainer(id);
  await goes(pod);
}, 180_000);
