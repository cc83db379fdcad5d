import { join } from 'node:path';
import { expect, test } from 'vitest';
import { address, attachment, failure, list, networkFixture } from './testing/network-fixture.ts';

const cni = networkFixture();

test('a plugin is missing: attach fails and status tells where it was looked for', async () => {
  cni.conf('10.conflist', list(['absent']));
  const opened = cni.open();
  const error = await failure(opened.attach(attachment()));
  expect([error.kind, error.message]).toEqual(['precondition', `the CNI plugin "absent" is not in ${join(cni.dir, 'none')} or ${join(cni.dir, 'bin')}`]);
  await expect.poll(() => opened.status().reason).toContain('"absent" is not in');
});

test('a missing ipam plugin is noticed before a pod needs it', async () => {
  cni.plugin('one');
  cni.conf('10.conflist', list([{ type: 'one', ipam: { type: 'host-local' } }]));
  const opened = cni.open();
  await expect.poll(() => opened.status().reason).toContain('"host-local" is not in');
});

test('from 1.1.0 on, plugins are asked for their status', async () => {
  let limited = true;
  cni.plugin('one', ({ command }) => (command === 'STATUS' && limited ? { exitCode: 1, stdout: { code: 50, msg: 'no addresses left' } } : address('10.0.0.2')), ['1.1.0']);
  cni.conf('10.conflist', list(['loopback', 'one'], { cniVersion: '1.1.0' }));
  const opened = cni.open();
  await expect.poll(() => opened.status().reason).toContain('no addresses left');
  expect(cni.runs.find(({ command }) => command === 'STATUS')?.input).toEqual({ type: 'one', name: 'test', cniVersion: '1.1.0' });
  limited = false;
  await expect.poll(() => opened.status().ready, { timeout: 5000 }).toBe(true);
});
