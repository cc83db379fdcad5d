import { expect, test, vi } from 'vitest';
import { containersFixture, signal } from '../testing/containers-fixture.ts';

const fixture = containersFixture();
const { running, exited } = fixture;

test.each([
  [0, false, 'Completed'],
  [3, false, 'Error'],
  [137, true, 'OOMKilled'],
])('exit %i (oom %s) is %s, with the task deleted after it', async (code, oom, reason) => {
  const id = await running();
  fixture.world.shims.get(id).finish(code, oom);
  await exited(id);
  const { exit, startedAtNs } = fixture.engine.containers.get(id);
  expect(exit).toMatchObject({ exitCode: code, reason });
  expect(exit?.finishedAtNs).toBeGreaterThanOrEqual(startedAtNs ?? 0n);
  await vi.waitFor(() => {
    expect(fixture.world.shims.shims.size).toBe(0);
  });
  expect(fixture.engine.containers.get(id).task).toBeUndefined();
});

test('a lost shim: what it left is killed before the container counts as ended', async () => {
  const id = await running();
  const shim = fixture.world.shims.get(id);
  const end = shim.end.bind(shim);
  let stateAtEnd = '';
  vi.spyOn(shim, 'end').mockImplementation(() => {
    stateAtEnd = fixture.engine.containers.get(id).state;
    end();
  });
  shim.vanish();
  await exited(id);
  expect(stateAtEnd).toBe('running');
  expect(fixture.engine.containers.get(id).exit).toMatchObject({ exitCode: 255, reason: 'Unknown' });
});

test('what a lost shim left is tried to be killed until it is', async () => {
  const id = await running();
  const shim = fixture.world.shims.get(id);
  vi.spyOn(shim, 'end').mockImplementationOnce(() => {
    throw new Error('busy');
  });
  shim.vanish();
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
  expect(fixture.engine.containers.get(id).state).toBe('running');
  await vi.waitFor(() => {
    expect(fixture.engine.containers.get(id).state).toBe('exited');
  }, 3000);
});

test('a task that could not be deleted at the exit is deleted at the removal', async () => {
  const id = await running();
  const shim = fixture.world.shims.get(id);
  vi.spyOn(shim, 'end').mockImplementationOnce(() => {
    throw new Error('busy');
  });
  shim.finish(0);
  await exited(id);
  await vi.waitFor(() => {
    expect(fixture.world.warnings).toContain('watching a container failed');
  });
  await fixture.engine.containers.remove(id, signal());
  expect(fixture.world.shims.shims.size).toBe(0);
});

test('an exit never seems to come before the start', async () => {
  const id = await running();
  const shim = fixture.world.shims.get(id);
  shim.finish(0);
  shim.exit = { exitCode: 0, exitedAtNs: 1n, oomKilled: false };
  await exited(id);
  const { exit, startedAtNs } = fixture.engine.containers.get(id);
  expect(exit?.finishedAtNs).toBe(startedAtNs);
});

test('an exit that finds the disk full is recorded when there is room again, and stops and removals wait for that', async () => {
  const id = await running();
  fixture.world.state.writesLeft = 0;
  fixture.world.shims.get(id).finish(3);
  await vi.waitFor(() => {
    expect(fixture.world.warnings).not.toEqual([]);
  });
  expect(fixture.engine.containers.get(id).state).toBe('running');
  const stop = fixture.engine.containers.stop(id, 0, AbortSignal.timeout(4000));
  fixture.world.state.writesLeft = undefined;
  await stop;
  expect(fixture.engine.containers.get(id)).toMatchObject({ state: 'exited', exit: { exitCode: 3, reason: 'Error' } });
  await fixture.engine.containers.remove(id, signal());
  expect(fixture.world.exits).toEqual(['Error']);
});
