import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { BerthError } from '../lib/errors.ts';
import type { Task } from './port.ts';
import { failing } from './testing/fake-shim.ts';
import { failure, launcherFixture } from './testing/launcher-fixture.ts';

const fixture = launcherFixture();
const { shimOf, bundle, attached } = fixture;

test('execSync runs the process, reads its files and deletes it', async () => {
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
  const task = await attached(shim);
  const outcome = await task.execSync({ process: { args: ['x'] }, timeoutMs: 1000, maxOutputBytes: 99 });
  expect([outcome.stdout.length, Buffer.from(outcome.stderr).toString(), outcome.exitCode]).toEqual([99, 'err', 4]);
  expect(files.stdout).toMatch(new RegExp(`^file://${task.handle.bundle}/exec-[0-9a-f]+\\.out\\?limit=99$`));
  expect(shim.names()).toEqual(['state', 'exec', 'start', 'wait', 'delete']);
  const spec = { type_url: 'types.containerd.io/opencontainers/runtime-spec/1/Process', value: Buffer.from('{"args":["x"]}') };
  expect(shim.calls[1]?.request).toMatchObject({ spec });
  expect(readdirSync(task.handle.bundle).filter((name) => name.startsWith('exec-'))).toEqual([]);
});

test('a timeout of more than a timer can run is none', async () => {
  const shim = await shimOf({ exec: async () => ({}), wait: async () => ({ exitStatus: 4 }) });
  const outcome = await (await attached(shim)).execSync({ process: {}, timeoutMs: 2 ** 33, maxOutputBytes: 1 });
  expect(outcome.exitCode).toBe(4);
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
  const error = await failure(task.execSync({ process: {}, timeoutMs: how === 'timeout' ? 1500 : undefined, maxOutputBytes: 1 }, abort.signal));
  if (how === 'abort') expect(error).toBe(reason);
  else expect(error).toMatchObject({ kind: 'timeout', message: 'command timed out after 1.5 s in container c1' });
  expect(waits).toBe(2);
  expect(shim.names()).toEqual(['state', 'exec', 'start', 'wait', 'kill', 'wait', 'delete']);
  expect(shim.calls[4]?.request).toMatchObject({ signal: 9 });
});

test.each([
  ['execSync', (task: Task) => task.execSync({ process: {}, timeoutMs: 30_000, maxOutputBytes: 1 })],
  ['exec', (task: Task) => task.exec({ process: {}, streams: { stdin: true, stdout: true, stderr: false, tty: false } })],
])('%s: what does not start, or so late that nobody waits for it, is killed and deleted and tells why', async (_name, run) => {
  const shim = await shimOf({ start: failing('internal', 'exec: "x": not found') });
  expect(String(await failure(run(await attached(shim))))).toContain('"x": not found');
  expect(shim.names()).toEqual(['state', 'exec', 'start', 'kill', 'delete']);
  expect(readdirSync(bundle('c1'))).toEqual([]);
});

test.each(['timeout', 'abort'])('an OCI runtime that hangs over an exec is given up by %s', async (how) => {
  const reason = new BerthError('canceled', 'enough');
  const abort = new AbortController();
  const shim = await shimOf({
    start: async () => {
      if (how === 'abort') abort.abort(reason);
      return new Promise<object>(() => undefined);
    },
  });
  const task = await attached(shim);
  const error = await failure(task.execSync({ process: {}, timeoutMs: how === 'timeout' ? 100 : undefined, maxOutputBytes: 1 }, abort.signal));
  if (how === 'abort') expect(error).toBe(reason);
  else expect(error).toMatchObject({ kind: 'timeout', message: 'command timed out after 0.1 s in container c1' });
  expect(shim.names().slice(-3)).toEqual(['start', 'kill', 'delete']);
});
