import { utimesSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { address, attachment, failure, list, networkFixture } from './testing/network-fixture.ts';

const cni = networkFixture();

test.each([
  [['1.0.0', '0.4.0'], ['0.4.0', '1.0.0'], '1.0.0'],
  [['1.1.0', '1.0.0', '9.0.0'], ['0.4.0', '1.0.0'], '1.0.0'],
  [['1.1.0', '1.0.0'], ['1.0.0', '1.1.0'], '1.1.0'],
  [['0.4.0'], ['0.4.0', '1.1.0'], '0.4.0'],
])('of %s and plugins that speak %s, %s is used', async (cniVersions, spoken, chosen) => {
  cni.plugin('one', () => address('10.0.0.2'), spoken);
  cni.plugin('two', () => address('10.0.0.2'), ['0.4.0', '1.0.0', '1.1.0']);
  cni.conf('10.conflist', list(['one', 'two'], { cniVersion: undefined, cniVersions }));
  expect((await cni.open().attach(attachment())).cniVersion).toBe(chosen);
  expect(cni.runs.at(-1)?.input['cniVersion']).toBe(chosen);
});

test('a version that a plugin does not speak is refused with its name, and status says so', async () => {
  cni.plugin('one', undefined, ['1.0.0']);
  cni.plugin('old', undefined, ['0.3.1', '0.4.0']);
  cni.conf('10.conflist', list(['one', 'old']));
  const opened = cni.open();
  const error = await failure(opened.attach(attachment()));
  expect([error.kind, error.message]).toEqual(['precondition', 'network "test" wants CNI 1.0.0, but the plugin "old" speaks 0.3.1, 0.4.0']);
  await expect.poll(() => opened.status()).toMatchObject({ ready: false, reason: expect.stringContaining('the plugin "old" speaks 0.3.1, 0.4.0') });
});

test('versions are asked once for each program, and again when it is replaced', async () => {
  cni.plugin('one');
  cni.conf('10.conflist', list(['one']));
  const opened = cni.open();
  const asked = (): number => cni.runs.filter(({ command }) => command === 'VERSION').length;
  for (const id of ['a', 'b', 'c']) await opened.attach(attachment({ id }));
  expect(asked()).toBe(1);
  utimesSync(join(cni.dir, 'bin/one'), 1, 1);
  await opened.attach(attachment({ id: 'd' }));
  expect(asked()).toBe(2);
});

test('a plugin from before versions counts as 0.1.0', async () => {
  cni.plugin('one');
  cni.plugins['one'] = ({ command }) => (command === 'VERSION' ? { exitCode: 1, stdout: { code: 4, msg: 'unknown CNI_COMMAND: VERSION' } } : JSON.stringify({ ip4: { ip: '10.0.0.9/24' } }));
  cni.conf('10.conflist', list(['one'], { cniVersion: '' }));
  expect(await cni.open().attach(attachment())).toMatchObject({ cniVersion: '0.1.0', ips: ['10.0.0.9'] });
});

test('an answer that failed is not remembered', async () => {
  cni.plugin('one');
  const good = cni.plugins['one'];
  cni.plugins['one'] = () => ({ exitCode: 2, stderr: 'no memory' });
  cni.conf('10.conflist', list(['one']));
  const opened = cni.open();
  expect((await failure(opened.attach(attachment()))).message).toContain('failed VERSION');
  if (good !== undefined) cni.plugins['one'] = good;
  expect((await opened.attach(attachment())).ips).toEqual(['10.0.0.2']);
});
