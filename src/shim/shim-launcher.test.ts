import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../lib/clock.ts';
import { BerthError, isKind } from '../lib/errors.ts';
import { TtrpcClient } from '../lib/ttrpc/client.ts';
import { connectUnix } from '../lib/ttrpc/connect.ts';
import { logControlAddress } from './log-control.ts';
import { shimMethods } from './methods.ts';
import type { RuntimeHandler, Task, TaskHandle } from './port.ts';
import { TtrpcShimLauncher } from './shim-launcher.ts';
import { type FakeAgent, fakeAgent } from './testing/fake-agent.ts';
import { failing, FakeShim, frozen, type Handlers } from './testing/fake-shim.ts';

const methods = shimMethods();
const berth: RuntimeHandler = { name: 'crun', shim: '/opt/berth-shim', runtime: '/usr/bin/crun', runtimeRoot: '/run/crun', systemdCgroup: false, protocol: 'berth' };
const foreign: RuntimeHandler = { ...berth, name: 'foreign', shim: '/opt/containerd-shim', protocol: 'containerd' };
const vm: RuntimeHandler = { ...foreign, name: 'vm', runtime: '' };

let directory: string;
let launcher: TtrpcShimLauncher;
let commands: FakeAgent;
let shims: FakeShim[];
let sockets: number;
/** What the shim's `start` prints. */
let answer: { readonly stdout?: string; readonly stderr?: string; readonly exitCode?: number };

async function shimOf(handlers: Handlers = {}): Promise<FakeShim> {
  sockets += 1;
  const shim = await FakeShim.listen(join(directory, `s${sockets}`), methods, handlers);
  shims.push(shim);
  answer = { stdout: JSON.stringify({ version: 3, address: shim.address, protocol: 'ttrpc' }) };
  return shim;
}

function bundle(id: string): string {
  const path = join(directory, id);
  mkdirSync(path, { recursive: true });
  return path;
}

function launch(handler = 'crun', more: { readonly terminal?: boolean } = {}, signal?: AbortSignal): Promise<Task> {
  const id = 'c1';
  const rootfs = [{ type: 'overlay', source: 'overlay', options: ['lowerdir=/a'] }];
  return launcher.launch(handler, { id, bundle: bundle(id), rootfs, terminal: false, stdin: false, stdinOnce: false, logPath: '/var/log/a b/0.log', maxLogLineBytes: 4096, ...more }, signal);
}

function handleOf(shim: FakeShim, id = 'c1', handler = 'crun'): TaskHandle {
  return { id, handler, address: shim.address, version: 3, bundle: bundle(id), pid: 0 };
}

async function attached(shim: FakeShim, handler = 'crun'): Promise<Task> {
  const task = await launcher.attach(handleOf(shim, 'c1', handler));
  if (task === undefined) throw new Error('nothing to attach to');
  return task;
}

async function failure(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return undefined;
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'bsl-'));
  shims = [];
  sockets = 0;
  commands = fakeAgent((request) => (request.argv.at(-1) === 'start' ? answer : {}));
  launcher = new TtrpcShimLauncher({ agent: commands.agent, clock: systemClock }, { handlers: [berth, foreign, vm], runRoot: directory, logger: '/opt/berth shim' });
  await launcher.open();
});

afterEach(async () => {
  await launcher.close();
  for (const shim of shims) await shim.die();
  rmSync(directory, { recursive: true });
});

test('a launch runs `start` in the bundle and creates the task with our options', async () => {
  const shim = await shimOf({ create: async () => ({ pid: 41 }), start: async () => ({ pid: 42 }) });
  const task = await launch();
  const [start] = commands.execs;
  expect(start?.argv).toEqual(['/opt/berth-shim', '-namespace', 'berth', '-address', '', '-publish-binary', '', '-id', 'c1', 'start']);
  expect(start).toMatchObject({ cwd: join(directory, 'c1'), detached: true });
  expect(start?.env['TTRPC_ADDRESS']).toBe(`unix://${directory}/events.sock`);
  expect(methods.bootstrapParams.decode(start?.stdin ?? Buffer.alloc(0))).toMatchObject({ instanceId: 'c1', namespace: 'berth', socketDir: join(directory, 's') });
  const [create] = shim.calls;
  const request = create?.request as { readonly options: { readonly type_url: string; readonly value: Uint8Array } };
  expect(request).toMatchObject({ id: 'c1', bundle: join(directory, 'c1'), stdout: '', rootfs: [{ type: 'overlay', source: 'overlay', target: '', options: ['lowerdir=/a'] }] });
  expect(request.options.type_url).toBe('berth.shim.v1.Options');
  expect(methods.berthOptions.decode(request.options.value)).toEqual({
    runtime: '/usr/bin/crun',
    runtimeRoot: '/run/crun',
    systemdCgroup: false,
    log: { path: '/var/log/a b/0.log', maxLineBytes: 4096 },
    stdin: false,
    stdinOnce: false,
    exitFile: join(directory, 'c1/exit.json'),
    runOnStart: true,
  });
  expect(task.handle.pid).toBe(41);
  expect(await task.start()).toEqual({ pid: 42 });
  expect(task.handle).toEqual({ id: 'c1', handler: 'crun', address: shim.address, version: 3, bundle: join(directory, 'c1'), pid: 42 });
});

test('a foreign shim gets the standard protocol: a log file, our log writer, runc options', async () => {
  const shim = await shimOf();
  await launch('foreign');
  expect(statSync(join(directory, 'c1/log')).isFile()).toBe(true);
  const request = shim.calls[0]?.request as { readonly options: { readonly type_url: string; readonly value: Uint8Array } };
  const logger = 'binary:///opt/berth%20shim?log=%2Fvar%2Flog%2Fa+b%2F0.log';
  expect(request).toMatchObject({ stdin: '', stdout: logger, stderr: logger });
  expect(request.options.type_url).toBe('containerd.runc.v1.Options');
  expect(methods.runcOptions.decode(request.options.value)).toMatchObject({ binaryName: '/usr/bin/crun', root: '/run/crun', systemdCgroup: false });
  await launch('vm', { terminal: true });
  expect(shim.calls[1]?.request).toMatchObject({ options: null, stdout: logger, stderr: '', terminal: true });
});

test('a create that fails deletes the task and ends the shim; the first error is the one that is told', async () => {
  const shim = await shimOf({ create: failing('internal', 'crun: no such file') });
  expect(await failure(launch())).toMatchObject({ kind: 'internal', message: 'crun: no such file' });
  expect(shim.names()).toEqual(['create', 'delete', 'shutdown']);
  expect(commands.execs.map(({ argv }) => argv.at(-1))).toEqual(['start', 'delete']);
  await expect.poll(() => shim.connections).toBe(0);
});

test('a launch that is aborted is undone before it fails', async () => {
  const abort = new AbortController();
  const shim = await shimOf({
    create: async () => {
      abort.abort(new BerthError('canceled', 'enough'));
      return { pid: 5 };
    },
  });
  expect(await failure(launch('crun', {}, abort.signal))).toMatchObject({ kind: 'canceled', message: 'enough' });
  expect(shim.names()).toEqual(['create', 'delete', 'shutdown']);
});

test('a launch that fails and cannot be undone says both', async () => {
  const shim = await shimOf({ create: failing('internal', 'no space'), delete: failing('precondition', 'still running') });
  const error = await failure(launch());
  expect(error).toMatchObject({ kind: 'internal', message: 'no space; undoing that failed, too: still running' });
  expect(shim.names()).toEqual(['create', 'delete']);
});

test('a start that fails is cleaned up by the shim’s `delete`', async () => {
  answer = { stderr: 'no cgroup\n', exitCode: 1 };
  expect(String(await failure(launch()))).toContain('/opt/berth-shim start of container c1 failed with code 1: no cgroup');
  expect(commands.execs.at(-1)?.argv.slice(-3)).toEqual(['-bundle', join(directory, 'c1'), 'delete']);
  expect(commands.unmounted).toEqual([join(directory, 'c1/rootfs')]);
});

test('a shim of another protocol or version is refused', async () => {
  answer = { stdout: JSON.stringify({ version: 3, address: 'unix:///x', protocol: 'grpc' }) };
  expect(isKind(await failure(launch()), 'unimplemented')).toBe(true);
  answer = { stdout: JSON.stringify({ version: 4, address: 'unix:///x', protocol: 'ttrpc' }) };
  expect(isKind(await failure(launch()), 'unimplemented')).toBe(true);
  expect(await failure(launcher.launch('absent', {} as never))).toMatchObject({ kind: 'invalid', hint: 'configured are crun, foreign, vm' });
});

test('attach finds a living task only', async () => {
  const shim = await shimOf({ state: async () => ({ status: 2, pid: 7 }) });
  expect((await attached(shim)).handle.pid).toBe(7);
  const other = await shimOf({ state: failing('not-found', 'no such container') });
  expect(await launcher.attach(handleOf(other, 'c2'))).toBeUndefined();
  await other.die();
  expect(await launcher.attach(handleOf(other, 'c2'))).toBeUndefined();
  expect(await launcher.attach({ ...handleOf(shim), address: `unix://${directory}/nothing` })).toBeUndefined();
});

test('wait survives one broken connection', async () => {
  const exit = Promise.withResolvers<object>();
  const shim = await shimOf({ wait: () => exit.promise });
  const wait = (await attached(shim)).wait();
  await expect.poll(() => shim.names()).toEqual(['state', 'wait']);
  shim.hangUp();
  await expect.poll(() => shim.names()).toEqual(['state', 'wait', 'wait']);
  exit.resolve({ exitStatus: 3, exitedAt: { seconds: 5, nanos: 7 } });
  expect(await wait).toEqual({ exitCode: 3, exitedAtNs: 5_000_000_007n, oomKilled: false });
});

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
    expect(launcher.exitRecord(task.handle.bundle)).toEqual(written ? expected : undefined);
  }
});

test.each(['', '{', '[]', 'null', '{"exitCode":"1"}', '{"exitCode":1}'])('a file that is no exit record is none: %j', (text) => {
  writeFileSync(join(bundle('c9'), 'exit.json'), text);
  expect(launcher.exitRecord(bundle('c9'))).toBeUndefined();
});

test('a frozen shim costs the caller of stats two seconds and nobody else anything', async () => {
  const stuck = await attached(await shimOf({ stats: frozen }));
  const value = methods.metricsV2.encode({ pids: { current: 3n, limit: 0n }, cpu: null, memory: null, io: null, hugetlb: [], memoryEvents: null });
  const healthy = await attached(await shimOf({ stats: async () => ({ stats: { type_url: 'io.containerd.cgroups.v2.Metrics', value } }) }));
  const began = performance.now();
  const late = failure(stuck.stats());
  expect(await Promise.race([late, healthy.stats()])).toMatchObject({ pids: { current: 3n } });
  expect(isKind(await late, 'timeout')).toBe(true);
  expect(performance.now() - began).toBeLessThan(3000);
});

test('hundreds of shims are asked at once; a bounded number of idle sockets stays', async () => {
  const many = await Promise.all(Array.from({ length: 300 }, () => shimOf()));
  const tasks = await Promise.all(many.map((shim) => attached(shim)));
  await Promise.all(tasks.map((task) => task.kill(15, { all: false })));
  await expect.poll(() => many.reduce((sum, shim) => sum + shim.connections, 0)).toBeLessThanOrEqual(64);
  await Promise.all(tasks.map((task) => task.kill(15, { all: false })));
  expect(many.every((shim) => shim.names().join() === 'state,kill,kill')).toBe(true);
});

test('an awaited task keeps its socket, and calls share it', async () => {
  const shim = await shimOf({ wait: frozen });
  const task = await attached(shim);
  const wait = failure(task.wait());
  await Promise.all([1, 2, 3].map(() => task.pause()));
  expect(shim.connections).toBe(1);
  await launcher.close();
  // Not undefined: nothing is known about a container that the daemon stops to look at.
  expect(isKind(await wait, 'canceled')).toBe(true);
  expect(isKind(await failure(task.pause()), 'canceled')).toBe(true);
});

test('a process that is not there any more takes a signal as success, other failures do not', async () => {
  const gone = await attached(await shimOf({ kill: failing('not-found', 'process already finished') }));
  await gone.kill(15, { all: true });
  const bad = await attached(await shimOf({ kill: failing('precondition', 'no') }));
  expect(isKind(await failure(bad.kill(15, { all: true })), 'precondition')).toBe(true);
});

test('remove deletes and shuts down; a shim that is gone is buried instead', async () => {
  const shim = await shimOf({ delete: failing('not-found', 'gone') });
  await (await attached(shim)).remove();
  expect(shim.names()).toEqual(['state', 'delete', 'shutdown']);
  const dead = await shimOf();
  const task = await attached(dead);
  await dead.die();
  await task.remove();
  expect(commands.execs.at(-1)?.argv.at(-1)).toBe('delete');
  expect(commands.unmounted).toEqual([join(directory, 'c1/rootfs')]);
  rmSync(join(directory, 'c1'), { recursive: true });
  const runs = commands.execs.length;
  await launcher.bury(task.handle);
  expect(commands.execs).toHaveLength(runs);
});

test('burying leaves the socket of a shim that still serves others', async () => {
  const shim = await shimOf();
  await launcher.bury(handleOf(shim));
  expect(existsSync(shim.address.replace('unix://', ''))).toBe(true);
});

test.each([
  ['crun', (path: string) => new RegExp(`^file://${path}/exec-[0-9a-f]+\\.out\\?limit=99$`)],
  ['foreign', (path: string) => new RegExp(`^${path}/exec-[0-9a-f]+\\.out$`)],
])('execSync with %s runs the process, reads its files and deletes it', async (handler, pattern) => {
  let files: { readonly stdout: string; readonly stderr: string } = { stdout: '', stderr: '' };
  const plain = (uri: string): string => uri.replace('file://', '').replace(/\?.*/, '');
  const shim = await shimOf({
    exec: async (request: typeof files) => {
      files = request;
      return {};
    },
    wait: async () => {
      writeFileSync(plain(files.stdout), 'o'.repeat(120));
      writeFileSync(plain(files.stderr), 'err');
      return { exitStatus: 4 };
    },
  });
  const task = await attached(shim, handler);
  const outcome = await task.execSync({ process: { args: ['x'] }, timeoutMs: 1000, maxOutputBytes: 99 });
  expect([outcome.stdout.length, Buffer.from(outcome.stderr).toString(), outcome.exitCode]).toEqual([99, 'err', 4]);
  expect(files.stdout).toMatch(pattern(task.handle.bundle));
  expect(shim.names()).toEqual(['state', 'exec', 'start', 'wait', 'delete']);
  const spec = { type_url: 'types.containerd.io/opencontainers/runtime-spec/1/Process', value: Buffer.from('{"args":["x"]}') };
  expect(shim.calls[1]?.request).toMatchObject({ spec });
  expect(readdirSync(task.handle.bundle).filter((name) => name.startsWith('exec-'))).toEqual([]);
});

test('execSync tells how a command ended whose container was removed with it', async () => {
  let stdout = '';
  const shim = await shimOf({
    exec: async (request: { readonly stdout: string }) => {
      stdout = request.stdout.replace('file://', '').replace(/\?.*/, '');
      return {};
    },
    wait: async () => {
      writeFileSync(stdout, 'begun');
      return { exitStatus: 137 };
    },
    delete: async () => {
      rmSync(bundle('c1'), { recursive: true });
      return {};
    },
  });
  const outcome = await (await attached(shim)).execSync({ process: {}, timeoutMs: 1000, maxOutputBytes: 99 });
  expect([Buffer.from(outcome.stdout).toString(), outcome.exitCode]).toEqual(['begun', 137]);
});

test.each(['timeout', 'abort'])('an exec is ended by %s: killed and awaited before the call returns', async (how) => {
  const dead = Promise.withResolvers<object>();
  let waits = 0;
  const abort = new AbortController();
  const reason = new BerthError('canceled', 'enough');
  const shim = await shimOf({
    wait: async () => {
      waits += 1;
      if (how === 'abort') abort.abort(reason);
      return dead.promise;
    },
    kill: async () => {
      setTimeout(dead.resolve, 50, { exitStatus: 137 });
      return {};
    },
  });
  const task = await attached(shim);
  const error = await failure(task.execSync({ process: {}, timeoutMs: how === 'timeout' ? 30 : undefined, maxOutputBytes: 1 }, abort.signal));
  if (how === 'abort') expect(error).toBe(reason);
  else expect(error).toMatchObject({ kind: 'timeout', message: 'command timed out after 0.03 s in container c1' });
  expect(waits).toBe(2);
  expect(shim.names()).toEqual(['state', 'exec', 'start', 'wait', 'kill', 'wait', 'delete']);
  expect(shim.calls[4]?.request).toMatchObject({ signal: 9 });
});

test.each([
  ['execSync', (task: Task) => task.execSync({ process: {}, timeoutMs: 10, maxOutputBytes: 1 })],
  ['exec', (task: Task) => task.exec({ process: {}, streams: { stdin: true, stdout: true, stderr: false, tty: false } })],
])('%s: what does not start, or so late that nobody waits for it, is killed and deleted and tells why', async (_name, run) => {
  const shim = await shimOf({ start: failing('internal', 'exec: "x": not found') });
  expect(String(await failure(run(await attached(shim))))).toContain('"x": not found');
  expect(shim.names()).toEqual(['state', 'exec', 'start', 'kill', 'delete']);
  expect(readdirSync(bundle('c1'))).toEqual([]);
});

test('a foreign shim tells of an OOM kill by an event, before or shortly after the exit', async () => {
  const shim = await shimOf({ wait: async () => ({ exitStatus: 137 }) });
  const task = await attached(shim, 'foreign');
  expect(await task.wait()).toMatchObject({ oomKilled: false });
  const events = new TtrpcClient(await connectUnix(`unix://${directory}/events.sock`), 'berthd');
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

test('what only our shim can do', async () => {
  const ours = await attached(await shimOf({ describe: async () => ({ micros: { rootfs: 1500, start: 20 } }) }));
  expect(await ours.startPhases()).toEqual({ rootfs: 1.5, start: 0.02 });
  await ours.reopenLog();
  expect(await (await attached(await shimOf(), 'foreign')).startPhases()).toEqual({});
});

test.each(['0.log', `${'long'.repeat(30)}.log`])('the log writer of a foreign shim is found beside the log: %s', async (name) => {
  const log = join(directory, name);
  const control = logControlAddress(log).replace('unix://', '');
  expect(Buffer.byteLength(control)).toBeLessThan(108);
  mkdirSync(dirname(control), { recursive: true });
  await shimOf({ wait: async () => ({ exitStatus: 1 }) });
  const task = await launcher.launch('foreign', { id: 'c1', bundle: bundle('c1'), rootfs: [], terminal: false, stdin: false, stdinOnce: false, logPath: log, maxLogLineBytes: 0 });
  expect(isKind(await failure(task.reopenLog()), 'precondition')).toBe(true);
  const written = Promise.withResolvers<object>();
  const writer = await FakeShim.listen(control, methods, { describe: () => written.promise });
  shims.push(writer);
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
