import { expect, test } from 'vitest';
import { address, attachment, failure, list, networkFixture } from './testing/network-fixture.ts';

const cni = networkFixture();

test.each([
  ['0.3.1', false, []],
  ['0.4.0', true, ['one CHECK', 'two CHECK']],
])('prevResult of DEL and CHECK are of version 0.4.0 and later: %s', async (cniVersion, has, checks) => {
  cni.plugin('one');
  cni.plugin('two');
  cni.conf('10.conflist', list(['one', 'two'], { cniVersion }));
  const opened = cni.open();
  const result = await opened.attach(attachment());
  await opened.check(attachment(), result);
  expect(cni.commands().slice(2)).toEqual(checks);
  await opened.detach(attachment(), result);
  expect('prevResult' in (cni.runs.at(-1)?.input ?? {})).toBe(has);
});

test('disableCheck is heeded', async () => {
  cni.plugin('one');
  cni.conf('10.conflist', list(['one'], { disableCheck: true }));
  const opened = cni.open();
  await opened.check(attachment(), await opened.attach(attachment()));
  expect(cni.commands()).toEqual(['one ADD']);
});

test('a failing CHECK is reported', async () => {
  cni.plugin('one', ({ command }) => (command === 'CHECK' ? { exitCode: 1, stdout: { code: 101, msg: 'veth missing' } } : address('10.0.0.2')));
  cni.conf('10.conflist', list(['one']));
  const opened = cni.open();
  expect((await failure(opened.check(attachment(), await opened.attach(attachment())))).message).toContain('failed CHECK for network "test": veth missing');
});
