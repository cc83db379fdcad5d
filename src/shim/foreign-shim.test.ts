import { mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { BerthError, isKind } from '../lib/errors.ts';
import { TtrpcClient } from '../lib/ttrpc/client.ts';
import { connectUnix } from '../lib/ttrpc/connect.ts';
import { logControlAddress } from './log-control.ts';
import { FakeShim } from './testing/fake-shim.ts';
import { failure, launcherFixture, methods } from './testing/launcher-fixture.ts';

const fixture = launcherFixture();
const { shimOf, bundle, launch, attached } = fixture;

test('a foreign shim gets the standard protocol: a log file, our log writer, runc options', async () => {
  const shim = await shimOf();
  await launch('foreign');
  expect(statSync(join(fixture.directory, 'c1/log')).isFile()).toBe(true);
  const request = shim.calls[0]?.request as { readonly options: { readonly type_url: string; readonly value: Uint8Array } };
  const logger = 'binary:///opt/berth%20shim?log=%2Fvar%2Flog%2Fa+b%2F0.log';
  expect(request).toMatchObject({ stdin: '', stdout: logger, stderr: logger });
  expect(request.options.type_url).toBe('containerd.runc.v1.Options');
  expect(methods.runcOptions.decode(request.options.value)).toMatchObject({ binaryName: '/usr/bin/crun', root: '/run/crun', systemdCgroup: false });
  await launch('vm', { terminal: true });
  expect(shim.calls[1]?.request).toMatchObject({ options: null, stdout: logger, stderr: '', terminal: true });
});

test('a foreign shim tells of an OOM kill by an event, before or shortly after the exit', async () => {
  const shim = await shimOf({ wait: async () => ({ exitStatus: 137 }) });
  const task = await attached(shim, 'foreign');
  expect(await task.wait()).toMatchObject({ oomKilled: false });
  const events = new TtrpcClient(await connectUnix(`unix://${fixture.directory}/events.sock`), 'berthd');
  const tell = (containerId: string): Promise<object> =>
    events.call(methods.forward, { envelope: { topic: '/tasks/oom', event: { type_url: 'containerd.events.TaskOOM', value: methods.taskOom.encode({ containerId }) } } });
  await tell('another');
  const waiting = task.wait();
  setTimeout(() => void tell('c1'), 50);
  expect(await waiting).toMatchObject({ exitCode: 137, oomKilled: true });
  expect(await task.wait()).toMatchObject({ oomKilled: true });
  await events.call(methods.forward, { envelope: { topic: '/tasks/exit', event: null } });
  events.close();
});

test('a SIGKILL of ours needs no news of an OOM kill', async () => {
  const [killed, found] = await Promise.all([1, 2].map(async () => attached(await shimOf({ wait: async () => ({ exitStatus: 137 }) }), 'foreign')));
  await killed?.kill(9, { all: true });
  // The other one's exit waits for such news.
  expect(await Promise.race([found?.wait().then(() => 'found'), killed?.wait()])).toMatchObject({ exitCode: 137, oomKilled: false });
});

test.each(['0.log', `${'long'.repeat(30)}.log`])('the log writer of a foreign shim is found beside the log: %s', async (name) => {
  const log = join(fixture.directory, name);
  const control = logControlAddress(log).replace('unix://', '');
  expect(Buffer.byteLength(control)).toBeLessThan(108);
  mkdirSync(dirname(control), { recursive: true });
  await shimOf({ wait: async () => ({ exitStatus: 1 }) });
  const task = await fixture.launcher.launch('foreign', { id: 'c1', bundle: bundle('c1'), rootfs: [], terminal: false, stdin: false, stdinOnce: false, logPath: log, maxLogLineBytes: 0 });
  expect(isKind(await failure(task.reopenLog()), 'precondition')).toBe(true);
  const written = Promise.withResolvers<object>();
  const writer = await FakeShim.listen(control, methods, { describe: () => written.promise });
  fixture.shims.push(writer);
  await task.reopenLog();
  let exited = false;
  const wait = task.wait().then((exit) => {
    exited = true;
    return exit;
  });
  // The exit is not told before everything is in the log.
  await expect.poll(() => writer.names()).toEqual(['reopenLog', 'describe']);
  expect(exited).toBe(false);
  written.reject(new BerthError('unimplemented', 'no method Describe'));
  expect(await wait).toMatchObject({ exitCode: 1 });
  await expect.poll(() => writer.connections).toBe(0);
});
