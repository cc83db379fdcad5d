import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BerthError, isKind } from '../lib/errors.ts';
import { systemClock } from '../lib/clock.ts';
import type { RuntimeHandler } from './port.ts';
import { TtrpcShimLauncher } from './shim-launcher.ts';
import { failing } from './testing/fake-shim.ts';
import { failure, launcherFixture, methods } from './testing/launcher-fixture.ts';

const fixture = launcherFixture();
const { shimOf, launch, handleOf, attached } = fixture;

test('a launch runs `start` in the bundle and creates the task with our options', async () => {
  const shim = await shimOf({ create: async () => ({ pid: 41 }), start: async () => ({ pid: 42 }) });
  const task = await launch();
  const [start] = fixture.commands.execs;
  expect(start?.argv).toEqual(['/opt/berth-shim', '-namespace', 'berth', '-address', '', '-publish-binary', '', '-id', 'c1', 'start']);
  expect(start).toMatchObject({ cwd: join(fixture.directory, 'c1'), detached: true });
  expect(start?.env['TTRPC_ADDRESS']).toBe(`unix://${fixture.directory}/events.sock`);
  expect(methods.bootstrapParams.decode(start?.stdin ?? Buffer.alloc(0))).toMatchObject({ instanceId: 'c1', namespace: 'berth', socketDir: join(fixture.directory, 's') });
  const [create] = shim.calls;
  const request = create?.request as { readonly options: { readonly type_url: string; readonly value: Uint8Array } };
  expect(request).toMatchObject({ id: 'c1', bundle: join(fixture.directory, 'c1'), stdout: '', rootfs: [{ type: 'overlay', source: 'overlay', target: '', options: ['lowerdir=/a'] }] });
  expect(request.options.type_url).toBe('berth.shim.v1.Options');
  expect(methods.berthOptions.decode(request.options.value)).toEqual({
    runtime: '/usr/bin/crun',
    runtimeRoot: '/run/crun',
    systemdCgroup: false,
    log: { path: '/var/log/a b/0.log', maxLineBytes: 4096 },
    stdin: false,
    stdinOnce: false,
    exitFile: join(fixture.directory, 'c1/exit.json'),
    runOnStart: true,
  });
  expect(task.handle.pid).toBe(41);
  expect(await task.start()).toEqual({ pid: 42 });
  expect(task.handle).toEqual({ id: 'c1', handler: 'crun', address: shim.address, version: 3, bundle: join(fixture.directory, 'c1'), pid: 42 });
});

test('a create that fails deletes the task and ends the shim; the first error is the one that is told', async () => {
  const shim = await shimOf({ create: failing('internal', 'crun: no such file') });
  expect(await failure(launch())).toMatchObject({ kind: 'internal', message: 'crun: no such file' });
  expect(shim.names()).toEqual(['create', 'delete', 'shutdown']);
  expect(fixture.commands.execs.map(({ argv }) => argv.at(-1))).toEqual(['start', 'delete']);
  await expect.poll(() => shim.connections).toBe(0);
});

test('a handler whose OCI runtime is not installed says so before anything starts', async () => {
  const [berth] = fixture.launcher.handlers();
  const missing = { ...(berth as RuntimeHandler), name: 'missing', runtime: '/nonexistent/runtime' };
  const launcher = new TtrpcShimLauncher({ agent: fixture.commands.agent, clock: systemClock }, { handlers: [missing], runRoot: fixture.directory, berthShim: '/opt/berth-shim' });
  expect(await failure(launcher.launch('missing', {} as never))).toMatchObject({ kind: 'precondition', message: 'runtime handler "missing" has no OCI runtime: /nonexistent/runtime does not exist', hint: 'install runtime, or set [runtimes.missing] runtime and restart berthd' });
  expect(fixture.commands.execs).toEqual([]);
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
  fixture.answer = { stderr: 'no cgroup\n', exitCode: 1 };
  expect(String(await failure(launch()))).toContain('/opt/berth-shim start of container c1 failed with code 1: no cgroup');
  expect(fixture.commands.execs.at(-1)?.argv.slice(-3)).toEqual(['-bundle', join(fixture.directory, 'c1'), 'delete']);
  expect(fixture.commands.unmounted).toEqual([join(fixture.directory, 'c1/rootfs')]);
});

test('a shim of another protocol or version is refused', async () => {
  fixture.answer = { stdout: JSON.stringify({ version: 3, address: 'unix:///x', protocol: 'grpc' }) };
  expect(isKind(await failure(launch()), 'unimplemented')).toBe(true);
  fixture.answer = { stdout: JSON.stringify({ version: 4, address: 'unix:///x', protocol: 'ttrpc' }) };
  expect(isKind(await failure(launch()), 'unimplemented')).toBe(true);
  expect(await failure(fixture.launcher.launch('absent', {} as never))).toMatchObject({ kind: 'invalid', hint: 'configured are crun, foreign, vm' });
});

test('attach finds a living task only', async () => {
  const shim = await shimOf({ state: async () => ({ status: 2, pid: 7 }) });
  expect((await attached(shim)).handle.pid).toBe(7);
  const other = await shimOf({ state: failing('not-found', 'no such container') });
  expect(await fixture.launcher.attach(handleOf(other, 'c2'))).toBeUndefined();
  await other.die();
  expect(await fixture.launcher.attach(handleOf(other, 'c2'))).toBeUndefined();
  expect(await fixture.launcher.attach({ ...handleOf(shim), address: `unix://${fixture.directory}/nothing` })).toBeUndefined();
});

test('burying leaves the socket of a shim that still serves others', async () => {
  const shim = await shimOf();
  await fixture.launcher.bury(handleOf(shim));
  expect(existsSync(shim.address.replace('unix://', ''))).toBe(true);
});
