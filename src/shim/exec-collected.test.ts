import { closeSync, openSync, readdirSync, statSync, writeSync } from 'node:fs';
import { expect, test } from 'vitest';
import { BerthError } from '../lib/errors.ts';
import type { FakeShim, Handlers } from './testing/fake-shim.ts';
import { failure, launcherFixture } from './testing/launcher-fixture.ts';

const fixture = launcherFixture();
const { shimOf, attached } = fixture;

/** A foreign shim's exec whose process holds both FIFOs from its start until it ends. */
async function execShim(handlers: Handlers, says: readonly [string, string] = ['', '']): Promise<FakeShim> {
  let open: readonly number[] = [];
  let paths: readonly string[] = [];
  return shimOf({
    exec: async ({ stdout, stderr }: { readonly stdout: string; readonly stderr: string }) => {
      paths = [stdout, stderr];
      expect(paths.every((path) => statSync(path).isFIFO())).toBe(true);
      return {};
    },
    start: async () => {
      open = paths.map((path) => openSync(path, 'w'));
      return {};
    },
    wait: async () => {
      open.forEach((fd, index) => {
        writeSync(fd, says[index] ?? '');
        closeSync(fd);
      });
      return { exitStatus: 4 };
    },
    ...handlers,
  });
}

test('a foreign shim’s exec writes into FIFOs, of which the beginning is kept', async () => {
  const shim = await execShim({}, ['o'.repeat(120), 'err']);
  const task = await attached(shim, 'foreign');
  const outcome = await task.execSync({ process: { args: ['x'] }, timeoutMs: undefined, maxOutputBytes: 99 });
  expect([outcome.stdout.length, Buffer.from(outcome.stderr).toString(), outcome.exitCode]).toEqual([99, 'err', 4]);
  expect(shim.calls[1]?.request).toMatchObject({ terminal: false, stdin: '' });
  expect(shim.names()).toEqual(['state', 'exec', 'start', 'wait', 'delete']);
  expect(readdirSync(task.handle.bundle).filter((name) => name.startsWith('exec-'))).toEqual([]);
});

test.each(['timeout', 'abort'])('an exec of a foreign shim is ended by %s: killed and awaited before the call returns', async (how) => {
  const dead = Promise.withResolvers<object>();
  const abort = new AbortController();
  const reason = new BerthError('canceled', 'enough');
  const shim = await execShim({
    wait: async () => {
      if (how === 'abort') abort.abort(reason);
      return dead.promise;
    },
    kill: async () => {
      setTimeout(dead.resolve, 50, { exitStatus: 137 });
      return {};
    },
  });
  const error = await failure((await attached(shim, 'foreign')).execSync({ process: {}, timeoutMs: how === 'timeout' ? 2000 : undefined, maxOutputBytes: 1 }, abort.signal));
  if (how === 'abort') expect(error).toBe(reason);
  else expect(error).toMatchObject({ kind: 'timeout', message: 'command timed out after 2 s in container c1' });
  expect(shim.names()).toEqual(['state', 'exec', 'start', 'wait', 'kill', 'delete']);
});

test('a foreign shim that goes meanwhile is told as such', async () => {
  const shim = await execShim({
    wait: async () => {
      await shim.die();
      return {};
    },
  });
  expect(await failure((await attached(shim, 'foreign')).execSync({ process: {}, timeoutMs: undefined, maxOutputBytes: 1 }))).toMatchObject({ kind: 'unavailable' });
});
