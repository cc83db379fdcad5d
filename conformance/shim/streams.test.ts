/** Exec and attach with a client's streams, the same for every shim and OCI runtime. It needs root. */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import type { RuntimeHandler, Session, StreamChoice, Task } from '../../src/shim/port.ts';
import { TtrpcShimLauncher } from '../../src/shim/shim-launcher.ts';
import { missing, nativeDirectory, PrivateAgent } from '../native/private-agent.ts';
import { type Bundle, type BundleOptions, makeBundle, makeRoot } from './bundle.ts';
import { berthShim, handlers, processesIn, removeCgroups } from './lab.ts';

const sigkill = 9;
const mebibyte = 1 << 20;
const outputs: StreamChoice = { stdin: false, stdout: true, stderr: true, tty: false };
const everything: StreamChoice = { ...outputs, stdin: true };

interface Running {
  readonly task: Task;
  readonly bundle: Bundle;
}

interface Wish extends BundleOptions {
  readonly stdin?: boolean;
  readonly stdinOnce?: boolean;
  readonly unlogged?: boolean;
}

function required<Stream>(stream: Stream | undefined): Stream {
  if (stream === undefined) throw new Error('the session lacks a stream that was asked for');
  return stream;
}

const textOf = (stream: Readable | undefined): Promise<string> => text(required(stream));

/** The number of bytes until the end, without keeping them. */
async function count(stream: Readable): Promise<number> {
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) bytes += chunk.length;
  return bytes;
}

/** Collects what comes, for looking at before the end. */
function collect(stream: Readable | undefined): () => string {
  let heard = '';
  required(stream).on('data', (chunk: Buffer) => {
    heard += chunk.toString();
  });
  return () => heard;
}

describe.each(handlers)('$name', ({ name, shim, runtime, protocol }) => {
  const absent = missing(join(nativeDirectory, 'berth-agent'), berthShim, shim, runtime, '/bin/busybox');
  if (absent !== undefined) {
    console.warn(`skipped: ${name} needs ${absent}`);
    test.skip(`needs ${absent}`, () => undefined);
    return;
  }
  const ours = protocol === 'berth';

  let directory: string;
  let root: string;
  let privateAgent: PrivateAgent;
  let launcher: TtrpcShimLauncher;
  let tasks: Task[];

  const running = async (wish: Wish): Promise<Running> => {
    const bundle = makeBundle(join(directory, 'bundles'), root, wish);
    const { id, path, rootfs, logPath } = bundle;
    const { stdin = false, stdinOnce = false, terminal = false, unlogged = false } = wish;
    const task = await launcher.launch('it', { id, bundle: path, rootfs, terminal, stdin, stdinOnce, logPath: unlogged ? undefined : logPath, maxLogLineBytes: 16_384 });
    tasks.push(task);
    await task.start();
    return { task, bundle };
  };

  const exec = ({ task, bundle }: Running, script: string, streams: StreamChoice = outputs): Promise<Session> =>
    task.exec({ process: { ...(bundle.process(script) as object), terminal: streams.tty }, streams });

  const leftovers = ({ bundle }: Running): readonly string[] => readdirSync(bundle.path).filter((file) => /^(exec|attach)-/.test(file));

  const idle = (): Promise<Running> => running({ script: 'sleep 1000' });

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'bx-'));
    root = makeRoot(join(directory, 'root'));
    mkdirSync(join(directory, 'bundles'));
    privateAgent = new PrivateAgent(directory);
    const handler: RuntimeHandler = { name: 'it', shim, runtime, runtimeRoot: join(directory, 'runtime'), systemdCgroup: false, protocol };
    launcher = new TtrpcShimLauncher({ agent: privateAgent.agent, clock: systemClock }, { handlers: [handler], runRoot: directory, logger: berthShim });
    await launcher.open();
  });

  beforeEach(() => {
    tasks = [];
    return async () => {
      for (const task of tasks) {
        await task.kill(sigkill, { all: true }).catch(() => undefined);
        await task.wait(AbortSignal.timeout(10_000)).catch(() => undefined);
        await task.remove();
      }
    };
  });

  afterAll(async () => {
    await launcher.close();
    await privateAgent.close();
    await removeCgroups(basename(directory));
    await vi.waitFor(() => expect(processesIn(directory)).toEqual([]), { timeout: 5000 });
    rmSync(directory, { recursive: true });
  });

  describe('exec', () => {
    test('keeps the outputs apart and leaves nothing', async () => {
      const container = await idle();
      const session = await exec(container, 'echo out; echo err >&2; exit 5');
      expect(await Promise.all([textOf(session.stdout), textOf(session.stderr), session.exit])).toEqual(['out\n', 'err\n', 5]);
      await session.close();
      expect(leftovers(container)).toEqual([]);
    });

    test('many at once do not mix', async () => {
      const container = await idle();
      const heard = await Promise.all([1, 2, 3, 4, 5, 6].map(async (number) => {
        const session = await exec(container, `echo ${number}; exit ${number}`);
        return [await textOf(session.stdout), await session.exit];
      }));
      expect(heard).toEqual([1, 2, 3, 4, 5, 6].map((number) => [`${number}\n`, number]));
      await expect.poll(() => leftovers(container)).toEqual([]);
    });

    test('the end of stdin reaches the process, and much goes through both ways whole', async () => {
      const session = await exec(await idle(), 'cat; echo over >&2; exit 3', everything);
      const sent = Buffer.alloc(8 * mebibyte, 'a stream of bytes, ');
      const hash = createHash('sha256');
      required(session.stdout).on('data', (chunk: Buffer) => hash.update(chunk));
      required(session.stdin).end(sent);
      expect(await Promise.all([textOf(session.stderr), session.exit])).toEqual(['over\n', 3]);
      expect(hash.digest('hex')).toBe(createHash('sha256').update(sent).digest('hex'));
    });

    test('a process that does not read its input keeps nobody', async () => {
      const session = await exec(await idle(), 'exec 0<&-; echo hi', everything);
      required(session.stdin).end(Buffer.alloc(4 * mebibyte));
      expect(await Promise.all([textOf(session.stdout), session.exit])).toEqual(['hi\n', 0]);
    });

    test('output is fast', async () => {
      const container = await idle();
      const bytes = 512 * mebibyte;
      const began = performance.now();
      const session = await exec(container, `dd if=/dev/zero bs=1M count=${bytes / mebibyte} 2>/dev/null`);
      expect(await count(required(session.stdout))).toBe(bytes);
      const rate = bytes / 1000 / (performance.now() - began);
      console.log(`${name}: exec stdout ${Math.round(rate)} MB/s`);
      expect(await session.exit).toBe(0);
      // Far below what an idle machine does, which is several times 100.
      expect(rate).toBeGreaterThan(ours ? 100 : 30);
    });

    test('a reader that pauses holds the process back and loses nothing', async () => {
      const session = await exec(await idle(), 'yes 2>/dev/null | head -c 16000000; echo done >&2');
      const done = collect(session.stderr);
      await sleep(500);
      expect(done()).toBe('');
      expect(required(session.stdout).readableLength).toBeLessThan(256 << 10);
      expect(await count(required(session.stdout))).toBe(16_000_000);
      expect(await session.exit).toBe(0);
      expect(done()).toBe('done\n');
    });

    test('a terminal has one output and a size', async () => {
      const session = await exec(await idle(), 'test -t 0 && echo terminal; read x; stty size; echo "got $x" >&2; exit 4', { ...everything, stderr: false, tty: true });
      const heard = collect(session.stdout);
      await expect.poll(heard).toContain('terminal');
      await session.resize({ columns: 123, rows: 45 });
      required(session.stdin).write('word\n');
      expect(await session.exit).toBe(4);
      expect(heard()).toContain('45 123');
      expect(heard()).toContain('got word');
      const plain = await exec({ task: required(tasks[0]), bundle: { process: () => ({ terminal: false, user: { uid: 0, gid: 0 }, args: ['/bin/true'], cwd: '/', env: [] }) } as unknown as Bundle }, '');
      await expect(plain.resize({ columns: 1, rows: 1 })).rejects.toMatchObject({ kind: 'precondition' });
      await plain.exit;
    });

    test('a child that stays behind with the output open does not keep the client', async () => {
      const session = await exec(await idle(), 'sleep 60 & echo first');
      const began = performance.now();
      expect(await Promise.all([textOf(session.stdout), session.exit])).toEqual(['first\n', 0]);
      expect(performance.now() - began).toBeLessThan(4000);
    });

    test('a client that leaves takes its process with it', async () => {
      const container = await idle();
      const session = await exec(container, 'exec sleep 77', everything);
      await session.close();
      await session.close();
      expect(await session.exit).toBe(137);
      const left = await exec(container, 'pgrep sleep');
      expect((await textOf(left.stdout)).trim().split('\n')).toHaveLength(1);
      await left.exit;
      await expect.poll(() => leftovers(container)).toEqual([]);
    });

    test('a program that does not exist is named, and nothing is left', async () => {
      const container = await idle();
      const process = { ...(container.bundle.process('') as object), args: ['/bin/absent'] };
      await expect(container.task.exec({ process, streams: everything })).rejects.toThrow(/absent|no such file/i);
      expect(leftovers(container)).toEqual([]);
    });
  });

  describe('attach', () => {
    const counting = 'n=0; while :; do n=$((n+1)); echo line $n; echo err $n >&2; sleep 0.02; done';

    test('several hear the output from when they came, besides the log', async () => {
      const { task, bundle } = await running({ script: counting });
      await expect.poll(() => readFileSync(bundle.logPath, 'utf8')).toContain('line 5');
      const sessions = [await task.attach(outputs), await task.attach(outputs)] as const;
      const heard = sessions.map(({ stdout, stderr }) => [collect(stdout), collect(stderr)] as const);
      await expect.poll(() => heard.every(([out, err]) => out().split('\n').length > 5 && err().split('\n').length > 5)).toBe(true);
      const numbers = (heard[0]?.[0]() ?? '').match(/\d+/g)?.map(Number) ?? [];
      expect(numbers[0]).toBeGreaterThan(4);
      expect(numbers).toEqual(numbers.map((_unused, index) => (numbers[0] ?? 0) + index));
      expect(heard[0]?.[1]()).toMatch(/^err \d+\n/);
      await sessions[0].close();
      expect(await sessions[0].exit).toBeUndefined();
      const before = heard[1]?.[0]().length ?? 0;
      await expect.poll(() => heard[1]?.[0]().length).toBeGreaterThan(before);
      await sessions[1].close();
      expect((await task.state()).status).toBe('running');
      expect(leftovers({ task, bundle })).toEqual([]);
      const logged = readFileSync(bundle.logPath, 'utf8').match(/F line \d+/g) ?? [];
      expect(logged).toEqual(logged.map((_unused, index) => `F line ${index + 1}`));
    });

    test('the streams end with the container, after its last byte, and the exit code is told', async () => {
      const { task } = await running({ script: 'sleep 0.5; echo last; echo words >&2; exit 6' });
      const session = await task.attach(outputs);
      expect(await Promise.all([textOf(session.stdout), textOf(session.stderr), session.exit])).toEqual(['last\n', 'words\n', 6]);
      await expect(task.attach(outputs)).rejects.toThrow();
    });

    test('a slow reader holds the container back until it leaves', async () => {
      const { task, bundle } = await running({ script: 'sleep 0.3; yes' });
      const session = await task.attach({ ...outputs, stderr: false });
      await sleep(1500);
      const held = statSync(bundle.logPath).size;
      await sleep(300);
      expect(statSync(bundle.logPath).size).toBe(held);
      await session.close();
      await expect.poll(() => statSync(bundle.logPath).size).toBeGreaterThan(held + mebibyte);
    });

    test.runIf(ours)('a slow reader gets everything, also when the container has long ended', async () => {
      const bytes = 3_000_000;
      const { task } = await running({ script: `sleep 0.3; yes | head -c ${bytes}` });
      const session = await task.attach({ ...outputs, stderr: false });
      const stdout = required(session.stdout);
      await sleep(700);
      let heard = 0;
      stdout.on('data', (chunk: Buffer) => {
        heard += chunk.length;
        // The container is gone, and so are its task and, as far as anybody can ask, its shim.
        if (heard > bytes - mebibyte - (256 << 10)) stdout.pause();
      });
      await task.wait();
      await task.remove();
      tasks.splice(0);
      await sleep(300);
      stdout.removeAllListeners('data');
      expect(heard + (await count(stdout))).toBe(bytes);
    });

    test.runIf(ours)('without a log there is an output, too', async () => {
      const { task } = await running({ script: counting, unlogged: true });
      const session = await task.attach(outputs);
      const heard = collect(session.stdout);
      await expect.poll(heard).toMatch(/line \d+\n/);
      await session.close();
    });

    test.runIf(ours)('stdin stays open for the next client', async () => {
      const { task } = await running({ script: 'while read x; do echo "got $x"; done; echo over', stdin: true });
      for (const word of ['one', 'two']) {
        const session = await task.attach(everything);
        const heard = collect(session.stdout);
        required(session.stdin).end(`${word}\n`);
        await expect.poll(heard).toBe(`got ${word}\n`);
        await session.close();
      }
      await sleep(100);
      expect((await task.state()).status).toBe('running');
    });

    test.runIf(ours)('stdin that is wanted once ends with its first client', async () => {
      const { task } = await running({ script: 'while read x; do echo "got $x"; done; echo over; exit 2', stdin: true, stdinOnce: true });
      const other = await task.attach(everything);
      const session = await task.attach(everything);
      required(session.stdin).end('one\n');
      expect(await Promise.all([textOf(session.stdout), session.exit])).toEqual(['got one\nover\n', 2]);
      await other.close();
    });

    test.runIf(ours)('a terminal takes keystrokes and a size', async () => {
      const { task, bundle } = await running({ script: 'while read x; do stty size; echo "got $x"; done', terminal: true, stdin: true });
      const session = await task.attach({ ...everything, stderr: false, tty: true });
      const heard = collect(session.stdout);
      await session.resize({ columns: 80, rows: 25 });
      required(session.stdin).write('word\n');
      await expect.poll(heard).toContain('got word');
      expect(heard()).toContain('25 80');
      expect(readFileSync(bundle.logPath, 'utf8')).toContain('F got word');
      await session.close();
    });

    test.runIf(ours)('costs the shim little, and clients that came and left cost nothing', async () => {
      const { task, bundle } = await running({ script: 'sleep 1000' });
      const pid = readFileSync(join(bundle.path, 'shim.pid'), 'utf8');
      const fds = (): number => readdirSync(`/proc/${pid}/fd`).length;
      const before = fds();
      for (let turn = 0; turn < 40; turn += 1) await (await task.attach(outputs)).close();
      expect(fds()).toBeLessThanOrEqual(before + 2);
      const flowing = await running({ script: 'sleep 0.2; yes' });
      const session = await flowing.task.attach(outputs);
      required(session.stdout).resume();
      required(session.stderr).resume();
      await sleep(1000);
      const status = readFileSync(`/proc/${readFileSync(join(flowing.bundle.path, 'shim.pid'), 'utf8')}/status`, 'utf8');
      const own = Number(/RssAnon:\s+(\d+)/.exec(status)?.[1]) ;
      const all = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]);
      console.log(`${name}: shim with an attachment: ${all} kB resident, ${own} kB of them its own`);
      expect(status).toMatch(/Threads:\s+1\n/);
      expect(all).toBeLessThan(2048);
      await session.close();
    });

    test.runIf(!ours)('what a foreign shim cannot do is said, with the handler’s name', async () => {
      const logged = await running({ script: 'sleep 1000' });
      await expect(logged.task.attach(everything)).rejects.toMatchObject({ kind: 'unimplemented', message: expect.stringContaining('handler it') as unknown });
      const unlogged = await running({ script: 'sleep 1000', unlogged: true });
      await expect(unlogged.task.attach(outputs)).rejects.toMatchObject({ kind: 'unimplemented', message: expect.stringContaining('handler it') as unknown });
      expect([...leftovers(logged), ...leftovers(unlogged)]).toEqual([]);
    });
  });
});
