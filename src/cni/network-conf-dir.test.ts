import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { attachment, failure, list, networkFixture } from './testing/network-fixture.ts';

const cni = networkFixture();

test('the first file by name is taken, in whatever order the directory lists them', () => {
  cni.plugin('one');
  for (let number = 99; number >= 50; number -= 1) cni.conf(`${number}.conflist`, list(['one'], { name: `n${number}` }));
  expect(cni.open().status().configPath).toBe(join(cni.dir, 'conf/50.conflist'));
});

test.each([
  ['not json', '{', '10.conflist is not JSON'],
  ['no plugins', list([]), '"plugins" is empty'],
  ['a path as type', list(['../bin/sh']), '"type" must be the name of a plugin'],
  ['no type', list([{}]), '"type" must be the name of a plugin'],
  ['a bad name', list(['one'], { name: '-x/' }), '"name" must be'],
  ['a version of the future', list(['one'], { cniVersion: '2.0.0' }), 'wants CNI 2.0.0, and berth speaks'],
  ['a list with a wrong field', list(['one'], { plugins: 'one' }), '"plugins" must be a list'],
])('a broken file is named with its fault: %s', async (_, text, fault) => {
  cni.conf('10.conflist', text);
  cni.conf('20.conflist', list(['one']));
  cni.plugin('one');
  const opened = cni.open();
  expect(opened.status()).toMatchObject({ ready: false, configPath: join(cni.dir, 'conf/10.conflist'), configJson: undefined });
  expect(opened.status().reason).toContain(fault);
  expect(opened.status().reason).toContain(join(cni.dir, 'conf/10.conflist'));
  expect((await failure(opened.attach(attachment()))).kind).toBe('unavailable');
});

test('a single-plugin file stands for a list, and the first name wins', async () => {
  cni.plugin('one');
  cni.conf('00-loopback.conf', { cniVersion: '1.0.0', name: 'lo', type: 'loopback' });
  cni.conf('05-notes.txt', 'x');
  cni.conf('10-single.conf', { cniVersion: '0.4.0', name: 'single', type: 'one', capabilities: { portMappings: true }, mtu: 1400 });
  cni.conf('20.conflist', list(['two']));
  const opened = cni.open();
  const result = await opened.attach(attachment({ portMappings: [{ hostPort: 1, containerPort: 2, protocol: 'udp', hostIp: '' }] }));
  expect(result).toMatchObject({ network: 'single', cniVersion: '0.4.0' });
  expect(cni.runs.at(-1)?.input).toMatchObject({ name: 'single', cniVersion: '0.4.0', mtu: 1400, runtimeConfig: { portMappings: [{ hostPort: 1 }] } });
  await opened.detach(attachment(), result);
  expect(cni.commands()).toEqual(['one ADD', 'one DEL']);
  expect(opened.status().configPath).toBe(join(cni.dir, 'conf/10-single.conf'));
});

test('a list in a file for single plugins is told from one', () => {
  cni.conf('10.conf', list(['one']));
  expect(cni.open().status().reason).toContain('must end with .conflist');
});

test('files that come, change and go are noticed', async () => {
  cni.plugin('one');
  const opened = cni.open();
  expect(opened.status().ready).toBe(false);
  cni.conf('20.conflist', list(['one']));
  await expect.poll(() => opened.status().ready).toBe(true);
  cni.conf('10.conflist', list(['one'], { name: 'first' }));
  await expect.poll(() => opened.status().configJson).toContain('"first"');
  cni.conf('10.conflist', '{"half');
  await expect.poll(() => opened.status().reason).toContain('10.conflist is not JSON');
  rmSync(join(cni.dir, 'conf'), { recursive: true });
  await expect.poll(() => opened.status().reason).toContain('there is no network config');
  expect(cni.lines).toContain('network config loaded');
});

test('a directory that is made later is found', async () => {
  rmSync(join(cni.dir, 'conf'), { recursive: true });
  cni.plugin('one');
  const opened = cni.open();
  mkdirSync(join(cni.dir, 'conf'));
  cni.conf('10.conflist', list(['one']));
  await expect.poll(() => opened.status().ready, { timeout: 8000, interval: 100 }).toBe(true);
}, 10_000);
