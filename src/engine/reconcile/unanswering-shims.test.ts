import { expect, test, vi } from 'vitest';
import { restartFixture, signal } from '../testing/restart-fixture.ts';

const fixture = restartFixture();
const { running, restart } = fixture;

test('without a shim and a record nobody knows: 255, and what it left is buried', async () => {
  const id = await running();
  await fixture.first.close();
  fixture.world.shims.get(id).lost = true;
  const engine = await restart();
  expect(engine.containers.get(id).exit).toMatchObject({ exitCode: 255, reason: 'Unknown' });
  expect(fixture.world.shims.buried).toEqual([id]);
});

test('a shim that does not answer makes its container unknown, holds up no other, and can be removed', async () => {
  const [frozen, fine] = [await running('frozen'), await running('fine')];
  Object.assign(fixture.world.shims.get(frozen), { frozen: true, callMs: 30 });
  const engine = await restart();
  expect(engine.containers.get(frozen).state).toBe('unknown');
  expect(engine.containers.get(fine).state).toBe('running');
  expect(engine.containers.list({ state: 'unknown' })).toHaveLength(1);
  await engine.containers.remove(frozen, signal());
  expect(fixture.world.shims.buried).toEqual([frozen]);
});

test('a shim that answers later gives its container back', async () => {
  const id = await running();
  const attach = vi.spyOn(fixture.world.shims, 'attach').mockRejectedValueOnce(new Error('too slow'));
  const engine = await restart();
  expect(engine.containers.get(id).state).toBe('unknown');
  attach.mockRestore();
  await vi.waitFor(() => {
    expect(engine.containers.get(id).state).toBe('running');
  }, 3000);
});

test('a shim that answers later gives its container back, also when not even the doubt about it could be recorded', async () => {
  const id = await running();
  vi.spyOn(fixture.world.shims, 'attach').mockRejectedValueOnce(new Error('too slow'));
  await fixture.first.close();
  fixture.world.state.writesLeft = 0;
  const engine = fixture.world.engine();
  await engine.recover();
  expect(engine.containers.get(id).state).toBe('unknown');
  fixture.world.state.writesLeft = undefined;
  await vi.waitFor(() => {
    expect(engine.containers.get(id).state).toBe('running');
  }, 3000);
  await engine.containers.stop(id, 0, signal());
  expect(engine.containers.get(id).state).toBe('exited');
});

test('an exit while a shim could not be taken over is not lost', async () => {
  const id = await running();
  const shim = fixture.world.shims.get(id);
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
