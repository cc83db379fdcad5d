import { afterEach, expect, test, vi } from 'vitest';
import type { ContainerConfig } from '../model/container.ts';
import { security } from '../testing/configs.ts';
import { containersFixture } from '../testing/containers-fixture.ts';

const fixture = containersFixture({ apparmor: true });
const { create, specOf } = fixture;
const byName: Partial<ContainerConfig> = { security: security({ apparmor: { type: 'runtime-default', localhostRef: '' } }) };
const parser = (exitCode: number) => vi.spyOn(fixture.world.agent, 'exec').mockResolvedValue({ stdout: new Uint8Array(), stderr: new Uint8Array(), exitCode });

afterEach(() => {
  vi.restoreAllMocks();
});

test('create gives the kernel the default profile before the first container that needs it', async () => {
  const exec = parser(0);
  await create({ security: security({ apparmor: { type: 'unconfined', localhostRef: '' } }) });
  expect(exec).not.toHaveBeenCalled();
  for (const [attempt, change] of [{}, byName].entries()) {
    const { id } = await create({ ...change, attempt: attempt + 1 });
    expect(specOf(id).process.apparmorProfile).toBe('berth-default');
  }
  expect(exec).toHaveBeenCalled();
});

test('create refuses RuntimeDefault where the profile cannot be loaded and leaves nothing; not asked for it is left out', async () => {
  parser(2);
  const before = fixture.world.leftovers();
  await expect(create(byName)).rejects.toMatchObject({ kind: 'precondition', message: expect.stringContaining('RuntimeDefault'), hint: expect.stringContaining('apparmor_parser') });
  expect(fixture.world.leftovers()).toEqual(before);
  expect(specOf((await create()).id).process.apparmorProfile).toBeUndefined();
});
