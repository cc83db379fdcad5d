import { readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isKind } from '../lib/errors.ts';
import { TtrpcClient } from '../lib/ttrpc/client.ts';
import { connectUnix } from '../lib/ttrpc/connect.ts';
import { FakeShim, type Handlers } from './testing/fake-shim.ts';
import { failure, launcherFixture, methods } from './testing/launcher-fixture.ts';

const fixture = launcherFixture();
const { shimOf, launch, attached } = fixture;

test('a foreign shim gets the standard protocol: FIFOs, a file for its own log, runc options', async () => {
  const shim = await shimOf();
  await launch('foreign');
  const io = join(fixture.directory, 'c1/io');
  expect(statSync(join(fixture.directory, 'c1/log')).isFile()).toBe(true);
  const request = shim.calls[0]?.request as { readonly options: { readonly type_url: string; readonly value: Uint8Array } };
  expect(request).toMatchObject({ stdin: '', stdout: `${io}/stdout`, stderr: `${io}/stderr` });
  expect(request.options.type_url).toBe('containerd.runc.v1.Options');
  expect(methods.runcOptions.decode(request.options.value)).toMatchObject({ binaryName: '/usr/bin/crun', root: '/run/crun', systemdCgroup: false });
  await launch('vm', { terminal: true });
  expect(shim.calls[1]?.request).toMatchObject({ options: null, stdin: `${io}/stdin`, stdout: `${io}/stdout`, stderr: '', terminal: true });
});

test('the other ends are held before the shim is asked to create, by a process that knows log, shim and socket', async () => {
  const shim = await shimOf();
  await launch('foreign');
  const bundle = join(fixture.directory, 'c1');
  expect(fixture.commands.execs.map(({ argv, detached }) => [argv.at(-1), detached])).toEqual([['start', true], [bundle, true]]);
  expect(JSON.parse(readFileSync(join(bundle, 'streams.json'), 'utf8'))).toEqual({
    log: { path: '/var/log/a b/0.log', maxLineBytes: 4096 },
    terminal: false,
    stdin: false,
    stdinOnce: false,
    socket: join(fixture.directory, 's/c1.io'),
    shim: { id: 'c1', address: shim.address.replace('unix://', ''), service: 'containerd.task.v3.Task' },
  });
  fixture.streams = { exitCode: 1, stderr: 'open /var/log/a b/0.log: No space left on device' };
  expect(await failure(launch('foreign'))).toMatchObject({ kind: 'internal', message: expect.stringContaining('No space left') as unknown });
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

test('an exit is told when everything is in the log, and removal ends who wrote it', async () => {
  await shimOf({ wait: async () => ({ exitStatus: 1 }) });
  const task = await launch('foreign');
  const written = Promise.withResolvers<object>();
  const streams = await streamsOf({ settle: () => written.promise });
  await task.reopenLog();
  let exited = false;
  const wait = task.wait().then((exit) => {
    exited = true;
    return exit;
  });
  await expect.poll(() => streams.names()).toEqual(['reopenLog', 'settle']);
  expect(exited).toBe(false);
  written.resolve({});
  expect(await wait).toMatchObject({ exitCode: 1 });
  await task.remove();
  expect(streams.names().at(-1)).toBe('finish');
  await expect.poll(() => streams.connections).toBe(0);
});

test('who held the streams and was killed is replaced when it is needed, and by a berthd that comes back', async () => {
  const shim = await shimOf({ state: async () => ({ status: 2 }) });
  const task = await launch('foreign');
  const served = (): number => fixture.commands.execs.filter(({ argv }) => argv[1] === 'streams').length;
  const first = await streamsOf();
  await first.die();
  rmSync(first.address.replace('unix://', ''), { force: true });
  expect(served()).toBe(1);
  // The fake agent starts nobody, so the call fails all the same.
  expect(isKind(await failure(task.reopenLog()), 'unavailable')).toBe(true);
  expect(served()).toBe(2);
  await fixture.attached(shim, 'foreign');
  expect(served()).toBe(3);
  await streamsOf();
  await fixture.attached(shim, 'foreign');
  expect(served()).toBe(3);
});

test('of a container that an older berth gave no FIFOs it is said that nobody has the streams', async () => {
  const shim = await shimOf({ state: async () => ({ status: 2 }) });
  const task = await fixture.attached(shim, 'foreign');
  expect(await failure(task.reopenLog())).toMatchObject({ kind: 'precondition', message: expect.stringContaining('nobody has the streams') as unknown });
});

async function streamsOf(handlers: Handlers = {}): Promise<FakeShim> {
  const streams = await FakeShim.listen(join(fixture.directory, 's/c1.io'), methods, handlers);
  fixture.shims.push(streams);
  return streams;
}
