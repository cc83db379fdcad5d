/**
 * The same suite for every shim and OCI runtime: the daemon's shim driver against real processes, cgroups and mounts. It
 * needs root.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { isKind } from '../../src/lib/errors.ts';
import type { RuntimeHandler, Task } from '../../src/shim/port.ts';
import { TtrpcShimLauncher } from '../../src/shim/shim-launcher.ts';
import { type Bundle, type BundleOptions, makeBundle, makeRoot } from './bundle.ts';
import { PrivateAgent } from '../native/private-agent.ts';
import { berthShim, handlers, lacking, prepare, processesIn, removeCgroups } from './lab.ts';

const sigterm = 15;
const sigkill = 9;

async function failure(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return undefined;
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

/** A zombie does not live: whoever inherits a dead shim's children may be slow to reap them. */
function lives(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ');
  } catch {
    return false;
  }
}

describe.each(handlers)('$name', (handler) => {
  const { name, shim, runtime, protocol } = handler;
  const absent = lacking(handler);
  if (absent !== undefined) {
    console.warn(`skipped: ${name}: ${absent}`);
    test.skip(`${absent}`, () => undefined);
    return;
  }

  let directory: string;
  let root: string;
  let privateAgent: PrivateAgent;
  let launcher: TtrpcShimLauncher;
  let tasks: Task[];

  const launcherOf = (): TtrpcShimLauncher => {
    const it: RuntimeHandler = { name: 'it', shim, runtime, runtimeRoot: join(directory, 'runtime'), systemdCgroup: false, protocol };
    return new TtrpcShimLauncher({ agent: privateAgent.agent, clock: systemClock }, { handlers: [it], runRoot: directory, berthShim });
  };

  const launch = async (options: BundleOptions & { readonly stdin?: boolean }): Promise<{ readonly task: Task; readonly bundle: Bundle }> => {
    const bundle = makeBundle(join(directory, 'bundles'), root, options);
    const { id, path, rootfs, logPath } = bundle;
    const task = await launcher.launch('it', { id, bundle: path, rootfs, terminal: options.terminal === true, stdin: options.stdin === true, stdinOnce: false, logPath, maxLogLineBytes: 16_384 });
    tasks.push(task);
    return { task, bundle };
  };

  const running = async (options: BundleOptions): Promise<{ readonly task: Task; readonly bundle: Bundle }> => {
    const made = await launch(options);
    await made.task.start();
    return made;
  };

  beforeAll(async () => {
    await prepare(handler);
    directory = mkdtempSync(join(tmpdir(), 'bs-'));
    root = makeRoot(join(directory, 'root'));
    mkdirSync(join(directory, 'bundles'));
    privateAgent = new PrivateAgent(directory);
    launcher = launcherOf();
    await launcher.open();
  }, 900_000);

  beforeEach(() => {
    tasks = [];
    return async () => {
      for (const task of tasks) {
        if ((await task.state().catch(() => undefined))?.status !== 'stopped') await task.kill(sigkill, { all: true }).catch(() => undefined);
        await task.wait(AbortSignal.timeout(10_000)).catch(() => undefined);
        await task.remove();
      }
    };
  });

  afterAll(async () => {
    await launcher.close();
    await privateAgent.close();
    // A shim ends a moment after it answered Shutdown.
    await removeCgroups(basename(directory));
    await vi.waitFor(() => expect(processesIn(directory)).toEqual([]), { timeout: 5000 });
    rmSync(directory, { recursive: true });
  });

  test('a task is created, started, awaited and removed; its log and exit are there when wait answers', async () => {
    const { task, bundle } = await launch({ script: 'echo hello; echo oops >&2; exit 7' });
    expect((await task.state()).status).toBe('created');
    const began = systemClock.nowNs();
    const { pid } = await task.start();
    expect(pid).toBeGreaterThan(1);
    expect(task.handle).toMatchObject({ id: bundle.id, bundle: bundle.path, pid });
    const exit = await task.wait();
    expect(exit).toMatchObject({ exitCode: 7, oomKilled: false });
    expect(Number((exit?.exitedAtNs ?? 0n) - began) / 1e6).toBeGreaterThan(-50);
    expect(Number((exit?.exitedAtNs ?? 0n) - began) / 1e6).toBeLessThan(10_000);
    const log = (): readonly string[] => readFileSync(bundle.logPath, 'utf8').trimEnd().split('\n').map((line) => line.split(' ').slice(1).join(' ')).toSorted();
    expect(log()).toEqual(['stderr F oops', 'stdout F hello']);
    const state = await task.state();
    expect(state).toMatchObject({ status: 'stopped', exit });
    await task.remove();
    await task.remove();
    expect(await launcher.attach(task.handle)).toBeUndefined();
    expect(launcher.exitRecord(bundle.path)).toEqual(protocol === 'berth' ? exit : undefined);
  });

  test('a terminal’s output goes to the log as stdout', async () => {
    const { task, bundle } = await running({ script: 'test -t 0 && test -t 1 && echo terminal; echo oops >&2', terminal: true });
    expect(await task.wait()).toMatchObject({ exitCode: 0 });
    const lines = readFileSync(bundle.logPath, 'utf8').trimEnd().split('\n').map((line) => line.split(' ').slice(1).join(' '));
    expect(lines).toEqual(['stdout F terminal', 'stdout F oops']);
  });

  test('stdin that was asked for stays open', async () => {
    const open = await launch({ script: 'read x; echo ended', stdin: true });
    await open.task.start();
    const closed = await running({ script: 'read x; exit 4' });
    expect(await closed.task.wait()).toMatchObject({ exitCode: 4 });
    expect((await open.task.state()).status).toBe('running');
  });

  test('signals reach the container, and one that has ended takes them as success', async () => {
    const { task } = await running({ script: 'trap "exit 3" TERM; while :; do sleep 0.05; done' });
    expect((await task.state()).status).toBe('running');
    await sleep(100);
    await task.kill(sigterm, { all: false });
    expect(await task.wait()).toMatchObject({ exitCode: 3 });
    await task.kill(sigkill, { all: false });
    const second = await running({ script: 'sleep 1000' });
    await second.task.kill(sigkill, { all: true });
    expect(await second.task.wait()).toMatchObject({ exitCode: 137, oomKilled: false });
  });

  test('a command that does not exist fails the launch or the start and leaves nothing', async () => {
    const bundle = makeBundle(join(directory, 'bundles'), root, { script: '' });
    const { id, path, rootfs } = bundle;
    const config = JSON.parse(readFileSync(join(path, 'config.json'), 'utf8')) as { process: { args: string[] } };
    config.process.args = ['/bin/absent'];
    execFileSync('tee', [join(path, 'config.json')], { input: JSON.stringify(config), stdio: ['pipe', 'ignore', 'inherit'] });
    const spec = { id, bundle: path, rootfs, terminal: false, stdin: false, stdinOnce: false, logPath: undefined, maxLogLineBytes: 16_384 };
    const error = await failure(
      (async () => {
        const task = await launcher.launch('it', spec);
        tasks.push(task);
        await task.start();
      })(),
    );
    expect(String(error)).toMatch(/absent|no such file/i);
    for (const task of tasks.splice(0)) await task.remove();
    await expect.poll(() => processesIn(path)).toEqual([]);
  });

  test('a launch that fails before there is a container leaves nothing, and says why', async () => {
    const { id, path, rootfs } = makeBundle(join(directory, 'bundles'), root, { script: '' });
    const error = await failure(launcher.launch('it', { id, bundle: path, rootfs, terminal: false, stdin: false, stdinOnce: false, logPath: join(path, 'absent/0.log'), maxLogLineBytes: 16_384 }));
    expect(String(error)).toMatch(/absent.*no such file/i);
    expect(String(error)).not.toContain('undoing');
    await expect.poll(() => processesIn(path)).toEqual([]);
    expect(readFileSync('/proc/mounts', 'utf8')).not.toContain(path);
    expect(readdirSync(join(directory, 's')).filter((socket) => socket.startsWith(id.slice(0, 12)))).toEqual([]);
  });

  test('execSync keeps stdout, stderr and the exit code apart', async () => {
    const { task, bundle } = await running({ script: 'sleep 1000' });
    const outcome = await task.execSync({ process: bundle.process('echo out; echo err >&2; exit 5'), timeoutMs: 10_000, maxOutputBytes: 1000 });
    expect([text(outcome.stdout), text(outcome.stderr), outcome.exitCode]).toEqual(['out\n', 'err\n', 5]);
    const cut = await task.execSync({ process: bundle.process('yes | head -c 300000'), timeoutMs: undefined, maxOutputBytes: 100_000 });
    expect([cut.stdout.length, cut.exitCode]).toEqual([100_000, 0]);
    const many = await Promise.all([1, 2, 3, 4, 5].map((number) => task.execSync({ process: bundle.process(`echo ${number}`), timeoutMs: 10_000, maxOutputBytes: 10 })));
    expect(many.map((each) => text(each.stdout))).toEqual(['1\n', '2\n', '3\n', '4\n', '5\n']);
    expect(readdirSync(bundle.path).filter((file) => file.startsWith('exec-'))).toEqual([]);
  });

  test('an exec that takes too long or is aborted is dead when the call returns', async () => {
    const { task, bundle } = await running({ script: 'sleep 1000' });
    const count = async (): Promise<string> => text((await task.execSync({ process: bundle.process('pgrep -f "sleep 77"'), timeoutMs: 10_000, maxOutputBytes: 100 })).stdout).trim();
    const process = { ...(bundle.process('') as object), args: ['/bin/sleep', '77'] };
    const late = await failure(task.execSync({ process, timeoutMs: 300, maxOutputBytes: 10 }));
    expect(late).toMatchObject({ kind: 'timeout', message: expect.stringContaining('command timed out') });
    expect(await count()).not.toMatch(/\n/);
    const abort = new AbortController();
    setTimeout(() => {
      abort.abort(new Error('enough'));
    }, 200);
    expect(await failure(task.execSync({ process, timeoutMs: undefined, maxOutputBytes: 10 }, abort.signal))).toMatchObject({ message: 'enough' });
    const left = await task.execSync({ process: { ...process, args: ['/bin/pgrep', 'sleep'] }, timeoutMs: 10_000, maxOutputBytes: 100 });
    // The container's own.
    expect(text(left.stdout).trim().split('\n')).toHaveLength(1);
    expect(isKind(await failure(task.execSync({ process: { ...process, args: ['/bin/absent'] }, timeoutMs: 1000, maxOutputBytes: 10 })), 'timeout')).toBe(false);
  });

  test('a second daemon finds the task, and its exit when that happened in between', async () => {
    const { task, bundle } = await running({ script: 'sleep 0.3; exit 9' });
    const handle = structuredClone(task.handle);
    await launcher.close();
    await sleep(600);
    launcher = launcherOf();
    await launcher.open();
    const again = await launcher.attach(handle);
    expect(await again?.wait()).toMatchObject({ exitCode: 9, oomKilled: false });
    expect(existsSync(bundle.logPath)).toBe(true);
    tasks.splice(0, 1, ...(again === undefined ? [] : [again]));
  });

  test('when the shim is killed, wait ends, attach finds nothing, and burying leaves nothing', async () => {
    const { task, bundle } = await running({ script: 'sleep 1000' });
    const wait = task.wait();
    const shims = processesIn(bundle.path).filter((line) => line.includes('shim'));
    for (const line of shims) process.kill(Number(line.split(' ')[0]), 'SIGKILL');
    expect(await wait).toBeUndefined();
    tasks.splice(0);
    expect(await launcher.attach(task.handle)).toBeUndefined();
    await launcher.bury(task.handle);
    await launcher.bury(task.handle);
    await expect.poll(() => lives(task.handle.pid)).toBe(false);
    await expect.poll(() => processesIn(bundle.path)).toEqual([]);
    expect(existsSync(task.handle.address.replace('unix://', ''))).toBe(false);
  });

  test('the log is reopened where it was, and our shim explains the start', async () => {
    const { task, bundle } = await running({ script: 'n=0; while :; do n=$((n+1)); echo line $n; sleep 0.01; done' });
    await expect.poll(() => readFileSync(bundle.logPath, 'utf8')).toContain('line 3');
    const rotated = `${bundle.logPath}.1`;
    execFileSync('mv', [bundle.logPath, rotated]);
    await task.reopenLog();
    const frozen = readFileSync(rotated, 'utf8');
    expect(existsSync(bundle.logPath)).toBe(true);
    await expect.poll(() => readFileSync(bundle.logPath, 'utf8').length).toBeGreaterThan(0);
    expect(readFileSync(rotated, 'utf8')).toBe(frozen);
    const numbers = [rotated, bundle.logPath].flatMap((path) => [...readFileSync(path, 'utf8').matchAll(/F line (\d+)/g)].map((match) => Number(match[1])));
    expect(numbers).toEqual(numbers.map((_unused, index) => index + 1));
    const phases = await task.startPhases();
    expect(Object.keys(phases).length > 0).toBe(protocol === 'berth');
    expect(Object.values(phases).every((ms) => ms >= 0 && ms < 10_000)).toBe(true);
    await task.kill(sigkill, { all: true });
    await task.wait();
    expect(isKind(await failure(task.reopenLog()), 'precondition')).toBe(true);
  });
});
