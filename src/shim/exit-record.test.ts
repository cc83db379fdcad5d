import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { frozen } from './testing/fake-shim.ts';
import { launcherFixture } from './testing/launcher-fixture.ts';

const fixture = launcherFixture();
const { shimOf, bundle, attached } = fixture;

test('when the shim is gone, wait reads the record that it wrote, and knows nothing without one', async () => {
  const record = { id: 'c1', pid: 7, exitCode: 137, exitedAt: '2026-11-24T13:00:00.000000005Z', oomKilled: true, startedAt: '2026-11-24T12:00:00Z' };
  for (const written of [true, false]) {
    const shim = await shimOf({ wait: frozen });
    const task = await attached(shim);
    const wait = task.wait();
    await expect.poll(() => shim.names()).toContain('wait');
    const path = join(task.handle.bundle, 'exit.json');
    if (written) writeFileSync(path, JSON.stringify(record));
    else rmSync(path);
    await shim.die();
    const expected = { exitCode: 137, exitedAtNs: BigInt(Date.parse('2026-11-24T13:00:00Z')) * 1_000_000n + 5n, oomKilled: true };
    expect(await wait).toEqual(written ? expected : undefined);
    expect(fixture.launcher.exitRecord(task.handle.bundle)).toEqual(written ? expected : undefined);
  }
});

test.each(['', '{', '[]', 'null', '{"exitCode":"1"}', '{"exitCode":1}'])('a file that is no exit record is none: %j', (text) => {
  writeFileSync(join(bundle('c9'), 'exit.json'), text);
  expect(fixture.launcher.exitRecord(bundle('c9'))).toBeUndefined();
});
