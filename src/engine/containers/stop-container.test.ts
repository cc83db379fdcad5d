import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { BerthError } from '../../lib/errors.ts';
import { noResources } from '../testing/configs.ts';
import { containersFixture, inNamespaces, signal } from '../testing/containers-fixture.ts';

const fixture = containersFixture();
const { create, running } = fixture;

test('a stop signal that could not be sent is sent by the next stop', async () => {
  const id = await running();
  const shim = fixture.world.shims.get(id);
  vi.spyOn(shim, 'deliver').mockImplementationOnce(() => {
    throw new BerthError('internal', 'no');
  });
  await expect(fixture.engine.containers.stop(id, 5000, AbortSignal.timeout(30))).rejects.toThrow();
  expect(fixture.engine.containers.get(id).state).toBe('running');
  await fixture.engine.containers.stop(id, 5000, signal());
  expect(shim.signals.map(({ signalNumber }) => signalNumber)).toEqual([15, 15]);
});

test('a frozen shim does not keep its container from being killed, also for two callers at once', async () => {
  const id = await running();
  Object.assign(fixture.world.shims.get(id), { frozen: true, callMs: 30 });
  await Promise.all([fixture.engine.containers.stop(id, 0, signal()), fixture.engine.containers.stop(id, 0, signal())]);
  expect(new Set(fixture.world.shims.buried)).toEqual(new Set([id]));
  expect(fixture.engine.containers.get(id)).toMatchObject({ state: 'exited', exit: { exitCode: 255, reason: 'Unknown' } });
  await fixture.engine.containers.remove(id, signal());
  expect(fixture.world.warnings).not.toContain('watching a container failed');
});

test('a frozen shim that was buried while the disk was full does not keep later stops waiting', async () => {
  const id = await running();
  const shim = fixture.world.shims.get(id);
  Object.assign(shim, { frozen: true, callMs: 30 });
  fixture.world.state.writesLeft = 0;
  await expect(fixture.engine.containers.stop(id, 0, signal())).rejects.toMatchObject({ kind: 'exhausted' });
  shim.lost = true;
  fixture.world.state.writesLeft = undefined;
  await fixture.engine.containers.stop(id, 0, AbortSignal.timeout(4000));
  expect(fixture.engine.containers.get(id)).toMatchObject({ state: 'exited', exit: { exitCode: 255, reason: 'Unknown' } });
});

test('stop: TERM once, then nothing more if that is enough', async () => {
  const id = await running();
  const shim = fixture.world.shims.get(id);
  await fixture.engine.containers.stop(id, 2000, signal());
  expect(shim.signals).toEqual([{ signalNumber: 15, all: false }]);
  expect(fixture.engine.containers.get(id)).toMatchObject({ state: 'exited', exit: { exitCode: 143 } });
  await fixture.engine.containers.stop(id, 2000, signal());
});

test('stop with the request’s signal', async () => {
  const id = await running({ stopSignal: 'SIGRTMIN+3' });
  const shim = fixture.world.shims.get(id);
  await fixture.engine.containers.stop(id, 20, signal());
  expect(shim.signals.map(({ signalNumber }) => signalNumber)).toEqual([37, 9]);
});

test('stop with timeout 0 kills at once, and everything where the PID namespace is not the container’s', async () => {
  const id = await running(inNamespaces({ pid: 'node' }));
  const shim = fixture.world.shims.get(id);
  await fixture.engine.containers.stop(id, 0, signal());
  expect(shim.signals[0]).toEqual({ signalNumber: 9, all: true });
});

test('a grace of a year is a year: nothing is killed meanwhile', async () => {
  const id = await running();
  const shim = fixture.world.shims.get(id);
  shim.obeysTerm = false;
  const patient = fixture.engine.containers.stop(id, 365 * 86_400_000, signal());
  await sleep(50);
  expect(shim.signals.map(({ signalNumber }) => signalNumber)).toEqual([15]);
  shim.finish(3);
  await patient;
  expect(fixture.engine.containers.get(id).exit?.exitCode).toBe(3);
});

test('a later stop with a shorter grace ends an earlier one, and TERM is not sent twice', async () => {
  const id = await running();
  const shim = fixture.world.shims.get(id);
  shim.obeysTerm = false;
  const patient = fixture.engine.containers.stop(id, 60_000, signal());
  await fixture.engine.containers.stop(id, 20, signal());
  await patient;
  expect(shim.signals.map(({ signalNumber }) => signalNumber)).toEqual([15, 9]);
});

test('a caller who leaves during the grace brings no SIGKILL', async () => {
  const id = await running();
  const shim = fixture.world.shims.get(id);
  shim.obeysTerm = false;
  await expect(fixture.engine.containers.stop(id, 60, AbortSignal.timeout(20))).rejects.toThrow();
  await new Promise((resolve) => setTimeout(resolve, 120));
  expect(shim.signals.map(({ signalNumber }) => signalNumber)).toEqual([15]);
  expect(fixture.engine.containers.get(id).state).toBe('running');
});

test('while a stop waits, lists, status and exec answer', async () => {
  const id = await running();
  fixture.world.shims.get(id).obeysTerm = false;
  const stop = fixture.engine.containers.stop(id, 300, signal());
  expect(fixture.engine.containers.list({ state: 'running' })).toHaveLength(1);
  await expect(fixture.engine.containers.execSync({ containerId: id, command: ['true'], timeoutMs: undefined }, signal())).resolves.toMatchObject({ exitCode: 0 });
  await fixture.engine.containers.update(id, { ...noResources, cpuShares: 2 }, signal());
  expect(fixture.engine.containers.get(id).state).toBe('running');
  await stop;
});

test('stop of a container that starts waits for the start and then ends it', async () => {
  const gate = Promise.withResolvers<void>();
  fixture.world.shims.launchGate = gate.promise;
  const { id } = await create();
  const start = fixture.engine.containers.start(id, signal());
  await vi.waitFor(() => {
    expect(fixture.engine.containers.get(id).state).toBe('starting');
  });
  expect(fixture.engine.containers.list({ state: 'created' })).toHaveLength(1);
  const stop = fixture.engine.containers.stop(id, 0, signal());
  gate.resolve();
  await Promise.all([start, stop]);
  expect(fixture.engine.containers.get(id).state).toBe('exited');
});
