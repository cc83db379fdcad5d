import { unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { CniResult } from './port.ts';
import { address, attachment, failure, list, networkFixture } from './testing/network-fixture.ts';

const cni = networkFixture();

test('DEL goes backwards with the stored config and result, whatever the directory holds now', async () => {
  cni.plugin('one');
  cni.plugin('two');
  cni.conf('10.conflist', list(['one', { type: 'two', old: true }]));
  const result = await cni.open().attach(attachment());
  cni.conf('10.conflist', list(['other'], { name: 'changed' }));
  await cni.open().detach(attachment(), result);
  expect(cni.commands()).toEqual(['one ADD', 'two ADD', 'two DEL', 'one DEL']);
  expect(cni.runs.at(-2)?.input).toEqual({ type: 'two', old: true, name: 'test', cniVersion: '1.0.0', prevResult: JSON.parse(result.raw) });
});

test('DEL goes on when a plugin fails, and reports the first failure', async () => {
  cni.plugin('one');
  cni.plugin('two', ({ command }) => (command === 'DEL' ? { exitCode: 1, stdout: { code: 100, msg: 'broken', details: 'why' } } : address('10.0.0.2')));
  cni.plugin('three');
  cni.conf('10.conflist', list(['one', 'two', 'three']));
  const result = await cni.open().attach(attachment());
  const error = await failure(cni.open().detach(attachment(), result));
  expect(error.message).toBe('CNI plugin "two" failed DEL for network "test": broken (why)');
  expect(cni.commands().slice(3)).toEqual(['three DEL', 'two DEL', 'one DEL']);
});

test('a plugin that knows nothing of the pod does not fail its DEL', async () => {
  cni.plugin('one', ({ command }) => (command === 'DEL' ? { exitCode: 1, stdout: { code: 3, msg: 'unknown' } } : address('10.0.0.2')));
  cni.conf('10.conflist', list(['one']));
  const result = await cni.open().attach(attachment());
  await cni.open().detach(attachment(), result);
  expect(cni.commands()).toEqual(['one ADD', 'one DEL']);
});

test('a namespace that is gone, or is only a file by now, is not handed to DEL', async () => {
  cni.plugin('one');
  cni.conf('10.conflist', list(['one']));
  const result = await cni.open().attach(attachment());
  writeFileSync(join(cni.dir, 'pin'), '');
  for (const netnsPath of ['', join(cni.dir, 'absent'), join(cni.dir, 'pin'), '/proc/self/ns/net']) await cni.open().detach(attachment({ netnsPath }), result);
  expect(cni.runs.filter(({ command }) => command === 'DEL').map(({ env }) => env['CNI_NETNS'])).toEqual(['', '', '', '/proc/self/ns/net']);
});

test('an attach that failed half-way is undone with the config that it used', async () => {
  cni.plugin('one');
  cni.plugin('two', ({ command }) => (command === 'ADD' ? { exitCode: 1, stderr: 'segfault\n' } : ''));
  cni.conf('10.conflist', list(['one', 'two']));
  const opened = cni.open();
  const error = await failure(opened.attach(attachment()));
  expect([error.kind, error.message]).toEqual(['internal', 'CNI plugin "two" failed ADD for network "test": exit code 1, segfault']);
  unlinkSync(join(cni.dir, 'conf/10.conflist'));
  await opened.detach(attachment(), undefined);
  expect(cni.commands()).toEqual(['one ADD', 'two ADD', 'two DEL', 'one DEL']);
});

test('an attach that never came to a plugin has nothing to undo', async () => {
  const opened = cni.open();
  const error = await failure(opened.attach(attachment()));
  expect([error.kind, error.message]).toEqual(['unavailable', expect.stringContaining('there is no network config in')]);
  cni.plugin('one');
  cni.conf('10.conflist', list(['one', 'missing']));
  await opened.detach(attachment(), undefined);
  const next = cni.open();
  expect((await failure(next.attach(attachment()))).message).toContain('"missing" is not in');
  await next.detach(attachment(), undefined);
  expect(cni.commands()).toEqual([]);
});

test('after a restart, a pod without a result is undone with the config that is there', async () => {
  cni.plugin('one');
  cni.conf('10.conflist', list(['one']));
  await cni.open().detach(attachment(), undefined);
  expect(cni.commands()).toEqual(['one DEL']);
});

test('after a restart, a pod without a result is not let go before there is a config that may free its address', async () => {
  const opened = cni.open();
  const error = await failure(opened.detach(attachment(), undefined));
  expect([error.kind, error.message]).toEqual(['unavailable', expect.stringContaining(attachment().id)]);
  cni.plugin('one');
  cni.conf('10.conflist', list(['one']));
  await cni.open().detach(attachment(), undefined);
  expect(cni.commands()).toEqual(['one DEL']);
});

test('a caller who leaves is let go at once, and the undo waits for the plugin that still runs', async () => {
  const running = Promise.withResolvers<string>();
  cni.plugin('one', ({ command }) => (command === 'ADD' ? running.promise : ''));
  cni.plugin('two');
  cni.conf('10.conflist', list(['one', 'two']));
  const opened = cni.open();
  const caller = new AbortController();
  const attaching = opened.attach(attachment(), caller.signal).catch((error: unknown) => error);
  await expect.poll(cni.commands).toEqual(['one ADD']);
  const reason = new Error('left');
  caller.abort(reason);
  expect(await attaching).toBe(reason);
  const undone = opened.detach(attachment(), undefined);
  await new Promise(setImmediate);
  expect(cni.commands()).toEqual(['one ADD']);
  running.resolve(address('10.0.0.2'));
  await undone;
  expect(cni.commands()).toEqual(['one ADD', 'two DEL', 'one DEL']);
});

test('a result that came after the caller had left is what the undo gets', async () => {
  const running = Promise.withResolvers<string>();
  cni.plugin('one', ({ command }) => (command === 'ADD' ? running.promise : ''));
  cni.conf('10.conflist', list(['one']));
  const opened = cni.open();
  const attaching = opened.attach(attachment(), AbortSignal.timeout(20)).catch(() => 'left');
  expect(await attaching).toBe('left');
  running.resolve(address('10.0.0.2'));
  await opened.detach(attachment(), undefined);
  expect(cni.runs.at(-1)?.input['prevResult']).toEqual(JSON.parse(address('10.0.0.2')));
});

test('a stored result of a version that berth does not speak is refused, not guessed', async () => {
  cni.conf('10.conflist', list(['one']));
  const stored: CniResult = { network: 'test', cniVersion: '7.0.0', config: JSON.stringify(list(['one'])), ips: [], interfaceName: 'eth0', raw: '{}' };
  expect((await failure(cni.open().detach(attachment(), stored))).message).toContain('7.0.0');
});
