import { expect, test, vi } from 'vitest';
import { BerthError } from '../../lib/errors.ts';
import { restartFixture, signal } from '../testing/restart-fixture.ts';

const fixture = restartFixture();
const { running, restart } = fixture;

const statusOf = (id: string): string => fixture.world.shims.get(id).status;

test('a paused container is still running for clients, takes no exec, and runs on when it is unpaused', async () => {
  const id = await running();
  const { containers } = fixture.first;
  await containers.pause(id, signal());
  expect([containers.get(id).state, statusOf(id)]).toEqual(['paused', 'paused']);
  expect(containers.list({ state: 'running' })).toHaveLength(1);
  await expect(containers.execSync({ containerId: id, command: ['true'], timeoutMs: undefined }, signal())).rejects.toMatchObject({ kind: 'precondition', hint: 'unpause it first' });
  await expect(containers.pause(id, signal())).rejects.toMatchObject({ kind: 'precondition' });
  await containers.unpause(id, signal());
  expect([containers.get(id).state, statusOf(id)]).toEqual(['running', 'running']);
  await expect(containers.unpause(id, signal())).rejects.toMatchObject({ kind: 'precondition', message: `container ${id} is running and not paused` });
});

test('a paused container stays paused over a restart of berthd, and one that a checkpoint left frozen runs again', async () => {
  const [paused, frozen] = [await running('paused'), await running('frozen')];
  await fixture.first.containers.pause(paused, signal());
  fixture.world.shims.get(frozen).pause();
  const engine = await restart();
  expect([engine.containers.get(paused).state, statusOf(paused)]).toEqual(['paused', 'paused']);
  expect([engine.containers.get(frozen).state, statusOf(frozen)]).toEqual(['running', 'running']);
  await engine.containers.unpause(paused, signal());
  expect(statusOf(paused)).toBe('running');
});

test('a stop lets a paused container hear its signal, and a removal ends it', async () => {
  const [stopped, removed] = [await running('stopped'), await running('removed')];
  const { containers } = fixture.first;
  for (const id of [stopped, removed]) await containers.pause(id, signal());
  await containers.stop(stopped, 10_000, signal());
  expect(containers.get(stopped)).toMatchObject({ state: 'exited', exit: { exitCode: 128 + 15 } });
  await containers.remove(removed, signal());
  expect(containers.list({}).map(({ id }) => id)).toEqual([stopped]);
});

test('a paused container has statistics and a log to rotate', async () => {
  const id = await running();
  await fixture.first.containers.pause(id, signal());
  await expect(fixture.first.containers.stats(id, signal())).resolves.toMatchObject({ id });
  await fixture.first.containers.reopenLog(id, signal());
});

test('a pause that fails leaves nothing frozen, and one whose end was not recorded can be ended', async () => {
  const [failing, lost] = [await running('failing'), await running('lost')];
  const { containers } = fixture.first;
  vi.spyOn(fixture.world.state, 'put').mockImplementationOnce(() => {
    throw new BerthError('exhausted', 'the disk is full');
  });
  await expect(containers.pause(failing, signal())).rejects.toThrow('the disk is full');
  expect([containers.get(failing).state, statusOf(failing)]).toEqual(['running', 'running']);
  await containers.pause(lost, signal());
  fixture.world.shims.get(lost).resume();
  await containers.unpause(lost, signal());
  expect([containers.get(lost).state, statusOf(lost)]).toEqual(['running', 'running']);
});

test('a container that a crash let run before its record said so is running after the restart', async () => {
  const id = await running();
  await fixture.first.containers.pause(id, signal());
  fixture.world.shims.get(id).resume();
  const engine = await restart();
  expect(engine.containers.get(id).state).toBe('running');
});
