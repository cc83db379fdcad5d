import { expect, test } from 'vitest';
import { security } from '../testing/configs.ts';
import { containersFixture, signal } from '../testing/containers-fixture.ts';

const fixture = containersFixture();
const { create, running } = fixture;

test('exec runs as the container does', async () => {
  const id = await running({ security: security({ runAsUser: 1000, capabilities: { add: [], drop: ['ALL'], addAmbient: [] } }), workingDir: '/srv' });
  const { stdout } = await fixture.engine.containers.execSync({ containerId: id, command: ['id'], timeoutMs: 1000 }, signal());
  expect(JSON.parse(new TextDecoder().decode(stdout))).toMatchObject({ args: ['id'], cwd: '/srv', terminal: false, user: { uid: 1000 }, capabilities: { bounding: [] } });
});

test('exec and log rotation need a running container', async () => {
  const { id } = await create({ logPath: 'a.log' });
  await expect(fixture.engine.containers.execSync({ containerId: id, command: ['id'], timeoutMs: undefined }, signal())).rejects.toMatchObject({ kind: 'precondition' });
  await expect(fixture.engine.containers.reopenLog(id, signal())).rejects.toMatchObject({ kind: 'precondition' });
  await expect(fixture.engine.containers.reopenLog('feed', signal())).rejects.toMatchObject({ kind: 'not-found' });
  await fixture.engine.containers.start(id, signal());
  await fixture.engine.containers.reopenLog(id, signal());
  expect(fixture.world.shims.get(id).reopened).toBe(1);
});
