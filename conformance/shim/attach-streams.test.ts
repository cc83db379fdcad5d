/** A container's own streams and the clients that join them, the same for every shim and OCI runtime. It needs root. */
import { globSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { runsc } from '../fixtures/runsc.ts';
import { describeHandlers } from './lab.ts';
import { collect, count, everything, mebibyte, outputs, required, textOf } from './session-streams.ts';

describeHandlers((handler, lab) => {
  const ours = handler.protocol === 'berth';

  const counting = 'n=0; while :; do n=$((n+1)); echo line $n; echo err $n >&2; sleep 0.02; done';

  test('several hear the output from when they came, besides the log', async () => {
    const { task, bundle } = await lab().running({ script: counting });
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
    expect(lab().leftovers({ task, bundle })).toEqual([]);
    const logged = readFileSync(bundle.logPath, 'utf8').match(/F line \d+/g) ?? [];
    expect(logged).toEqual(logged.map((_unused, index) => `F line ${index + 1}`));
  });

  test('the streams end with the container, after its last byte, and the exit code is told', async () => {
    const { task } = await lab().running({ script: 'read go; echo last; echo words >&2; exit 6', stdin: true });
    const session = await task.attach(everything);
    required(session.stdin).write('go\n');
    expect(await Promise.all([textOf(session.stdout), textOf(session.stderr), session.exit])).toEqual(['last\n', 'words\n', 6]);
    await expect(task.attach(outputs)).rejects.toThrow();
  });

  test('a slow reader holds the container back until it leaves', async () => {
    const { task, bundle } = await lab().running({ script: 'sleep 0.3; yes' });
    const session = await task.attach({ ...outputs, stderr: false });
    await sleep(1500);
    const held = statSync(bundle.logPath).size;
    await sleep(300);
    expect(statSync(bundle.logPath).size).toBe(held);
    await session.close();
    await expect.poll(() => statSync(bundle.logPath).size).toBeGreaterThan(held + mebibyte);
  });

  test('a slow reader gets everything, also when the container has long ended', async () => {
    const bytes = 3_000_000;
    const { task } = await lab().running({ script: `read go; yes | head -c ${bytes}`, stdin: true });
    const session = await task.attach({ ...everything, stderr: false });
    const stdout = required(session.stdout);
    required(session.stdin).write('go\n');
    await sleep(700);
    let heard = 0;
    stdout.on('data', (chunk: Buffer) => {
      heard += chunk.length;
      // More than the client's FIFO holds, and less than that with the container's pipe, the shim and this stream: 64 KiB each.
      if (heard > bytes - mebibyte - (160 << 10)) stdout.pause();
    });
    await task.wait();
    await task.remove();
    // The container is gone, and so are its task and, as far as anybody can ask, its shim.
    await sleep(300);
    stdout.removeAllListeners('data');
    expect(heard + (await count(stdout))).toBe(bytes);
  });

  test('without a log there is an output, too', async () => {
    const { task } = await lab().running({ script: counting, unlogged: true });
    const session = await task.attach(outputs);
    const heard = collect(session.stdout);
    await expect.poll(heard).toMatch(/line \d+\n/);
    await session.close();
  });

  test('stdin stays open for the next client', async () => {
    const { task } = await lab().running({ script: 'while read x; do echo "got $x"; done; echo over', stdin: true });
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

  // Beside a flood the answer may take longer through gVisor’s pipes, or those of the Rust shim, than is waited for.
  const chatters = [['says little', 'while :; do echo y; sleep 0.05; done'], ['is silent', 'sleep 1000'], ...(handler.peer !== 'containerd-shim-runc-v2-rs' && handler.runtime !== runsc ? [['says much', 'yes'] as const] : [])] as const;
  test.each(chatters)('an attachment that ends with its input does so, with the answer, when the container %s', async (_how, chatter) => {
    const { task, bundle } = await lab().running({ script: `${chatter} & while read x; do echo "got $x" >&2; done; echo over >&2`, stdin: true });
    for (const word of ['one', 'two']) {
      const session = await task.attach({ ...everything, endsWithInput: true });
      required(session.stdin).end(`${word}\n`);
      expect(await Promise.all([textOf(session.stderr), count(required(session.stdout)).then(() => 'ended'), session.exit])).toEqual([`got ${word}\n`, 'ended', undefined]);
      await session.close();
    }
    expect((await task.state()).status).toBe('running');
    expect(lab().leftovers({ task, bundle })).toEqual([]);
  });

  test('stdin that is wanted once ends with its first client', async () => {
    const { task } = await lab().running({ script: 'while read x; do echo "got $x"; done; echo over; exit 2', stdin: true, stdinOnce: true });
    const other = await task.attach(everything);
    const session = await task.attach(everything);
    required(session.stdin).end('one\n');
    expect(await Promise.all([textOf(session.stdout), session.exit])).toEqual(['got one\nover\n', 2]);
    await other.close();
  });

  test('who comes after the end of such a stdin still hears the output, and what it types goes nowhere', async () => {
    const { task } = await lab().running({ script: 'cat; while :; do echo alone; sleep 0.05; done', stdin: true, stdinOnce: true });
    const first = await task.attach(everything);
    const heard = collect(first.stdout);
    required(first.stdin).end('in ');
    await expect.poll(heard).toContain('alone');
    await first.close();
    const late = await task.attach(everything);
    const typed = Promise.withResolvers<unknown>();
    required(late.stdin).end(Buffer.alloc(4 * mebibyte), () => { typed.resolve(undefined); });
    const heardLate = collect(late.stdout);
    await typed.promise;
    await expect.poll(heardLate).toContain('alone\nalone\n');
    await late.close();
    const without = await lab().running({ script: 'sleep 1000' });
    await expect(without.task.attach(everything)).rejects.toMatchObject({ kind: 'precondition' });
  });

  test('a terminal takes keystrokes and a size', async () => {
    const { task, bundle } = await lab().running({ script: 'while read x; do stty size; echo "got $x"; done', terminal: true, stdin: true });
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
    const { task, bundle } = await lab().running({ script: 'sleep 1000' });
    const pid = readFileSync(join(bundle.path, 'shim.pid'), 'utf8');
    const fds = (): number => readdirSync(`/proc/${pid}/fd`).length;
    const before = fds();
    for (let turn = 0; turn < 40; turn += 1) await (await task.attach(outputs)).close();
    expect(fds()).toBeLessThanOrEqual(before + 2);
    const flowing = await lab().running({ script: 'sleep 0.2; yes' });
    const session = await flowing.task.attach(outputs);
    required(session.stdout).resume();
    required(session.stderr).resume();
    await sleep(1000);
    const status = readFileSync(`/proc/${readFileSync(join(flowing.bundle.path, 'shim.pid'), 'utf8')}/status`, 'utf8');
    const own = Number(/RssAnon:\s+(\d+)/.exec(status)?.[1]) ;
    const all = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]);
    console.log(`${handler.name}: shim with an attachment: ${all} kB resident, ${own} kB of them its own`);
    expect(status).toMatch(/Threads:\s+1\n/);
    expect(all).toBeLessThan(2048);
    await session.close();
  });

  test.runIf(!ours)('who holds a foreign shim’s streams is replaced when it is killed, and nothing stops', async () => {
    const container = await lab().running({ script: 'while read x; do echo "got $x"; done; echo over', stdin: true });
    const { task, bundle } = container;
    for (const word of ['one', 'two']) {
      signalStreams(bundle.path, 'SIGKILL');
      const session = await task.attach(everything);
      const heard = collect(session.stdout);
      required(session.stdin).write(`${word}\n`);
      await expect.poll(heard).toBe(`got ${word}\n`);
      await session.close();
    }
    signalStreams(bundle.path, 'SIGKILL');
    await task.reopenLog();
    await expect.poll(() => readFileSync(bundle.logPath, 'utf8').match(/F got \w+/g)).toEqual(['F got one', 'F got two']);
    expect(lab().leftovers(container)).toEqual([]);
  });

  test.runIf(!ours)('who holds a foreign shim’s streams hears the last words of a container of a node that shuts down', async () => {
    const { task, bundle } = await lab().running({ script: 'trap "echo last words; exit 5" TERM; echo ready; while :; do sleep 0.05; done' });
    const log = (): string => readFileSync(bundle.logPath, 'utf8');
    await expect.poll(log).toContain('F ready');
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const) signalStreams(bundle.path, signal);
    await sleep(200);
    // The one that is there already, no successor.
    signalStreams(bundle.path, 'SIGCONT');
    await task.kill(15, { all: false });
    expect(await task.wait()).toMatchObject({ exitCode: 5 });
    expect(log()).toContain('F last words');
    await expect.poll(() => streamsOf(bundle.path)).toEqual([]);
  });
});

/** The processes of ours that serve a bundle's streams. */
function streamsOf(bundle: string): readonly number[] {
  const found = globSync('/proc/[0-9]*/cmdline').filter((file) => {
    try {
      return readFileSync(file, 'utf8').includes(`\0streams\0${bundle}`);
    } catch {
      return false;
    }
  });
  return found.map((file) => Number(file.split('/')[2]));
}

/** Signals the one that serves a bundle's streams. */
function signalStreams(bundle: string, signal: NodeJS.Signals): void {
  const found = streamsOf(bundle);
  expect(found).toHaveLength(1);
  for (const pid of found) process.kill(pid, signal);
}
