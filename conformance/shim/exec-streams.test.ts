/** Processes in a container with a client's streams, the same for every shim and OCI runtime. It needs root. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Session, StreamChoice } from '../../src/shim/port.ts';
import { describeHandlers, type Running } from './lab.ts';
import { collect, count, everything, mebibyte, outputs, required, textOf } from './session-streams.ts';

describeHandlers((_handler, lab) => {

  const exec = ({ task, bundle }: Running, script: string, streams: StreamChoice = outputs): Promise<Session> =>
    task.exec({ process: { ...(bundle.process(script) as object), terminal: streams.tty }, streams });

  test('keeps the outputs apart and leaves nothing', async () => {
    const container = await lab().idle();
    const session = await exec(container, 'echo out; echo err >&2; exit 5');
    expect(await Promise.all([textOf(session.stdout), textOf(session.stderr), session.exit])).toEqual(['out\n', 'err\n', 5]);
    await session.close();
    expect(lab().leftovers(container)).toEqual([]);
  });

  test('many at once do not mix', async () => {
    const container = await lab().idle();
    const heard = await Promise.all([1, 2, 3, 4, 5, 6].map(async (number) => {
      const session = await exec(container, `echo ${number}; exit ${number}`);
      return [await textOf(session.stdout), await session.exit];
    }));
    expect(heard).toEqual([1, 2, 3, 4, 5, 6].map((number) => [`${number}\n`, number]));
    await expect.poll(() => lab().leftovers(container)).toEqual([]);
  });

  test('the end of stdin reaches the process, and much goes through both ways whole', async () => {
    const session = await exec(await lab().idle(), 'cat; echo over >&2; exit 3', everything);
    const sent = Buffer.alloc(8 * mebibyte, 'a stream of bytes, ');
    const hash = createHash('sha256');
    required(session.stdout).on('data', (chunk: Buffer) => hash.update(chunk));
    required(session.stdin).end(sent);
    expect(await Promise.all([textOf(session.stderr), session.exit])).toEqual(['over\n', 3]);
    expect(hash.digest('hex')).toBe(createHash('sha256').update(sent).digest('hex'));
  });

  test('a process that does not read its input keeps nobody', async () => {
    const session = await exec(await lab().idle(), 'exec 0<&-; echo hi', everything);
    required(session.stdin).end(Buffer.alloc(4 * mebibyte));
    expect(await Promise.all([textOf(session.stdout), session.exit])).toEqual(['hi\n', 0]);
  });

  // How fast it is, the bench tells.
  test('512 MiB of output come whole', async () => {
    const bytes = 512 * mebibyte;
    const session = await exec(await lab().idle(), `dd if=/dev/zero bs=1M count=${bytes / mebibyte} 2>/dev/null`);
    expect([await count(required(session.stdout)), await session.exit]).toEqual([bytes, 0]);
  });

  test('a reader that pauses holds the process back and loses nothing', async () => {
    const session = await exec(await lab().idle(), 'yes 2>/dev/null | head -c 16000000; echo done >&2');
    const done = collect(session.stderr);
    await sleep(500);
    expect(done()).toBe('');
    expect(required(session.stdout).readableLength).toBeLessThan(256 << 10);
    expect(await count(required(session.stdout))).toBe(16_000_000);
    expect(await session.exit).toBe(0);
    expect(done()).toBe('done\n');
  });

  test('a terminal has one output and a size', async () => {
    const container = await lab().idle();
    const session = await exec(container, 'test -t 0 && echo terminal; read x; stty size; echo "got $x" >&2; exit 4', { ...everything, stderr: false, tty: true });
    const heard = collect(session.stdout);
    await expect.poll(heard).toContain('terminal');
    await session.resize({ columns: 123, rows: 45 });
    required(session.stdin).write('word\n');
    expect(await session.exit).toBe(4);
    expect(heard()).toContain('45 123');
    expect(heard()).toContain('got word');
    const plain = await exec(container, 'sleep 0.5');
    await expect(plain.resize({ columns: 1, rows: 1 })).rejects.toMatchObject({ kind: 'precondition' });
    await plain.exit;
  });

  test('a child that stays behind with the output open does not keep the client', async () => {
    const session = await exec(await lab().idle(), 'sleep 60 & echo first');
    const began = performance.now();
    expect(await Promise.all([textOf(session.stdout), session.exit])).toEqual(['first\n', 0]);
    expect(performance.now() - began).toBeLessThan(4000);
  });

  test('a client that leaves takes its process with it', async () => {
    const container = await lab().idle();
    const session = await exec(container, 'exec sleep 77', everything);
    await session.close();
    await session.close();
    expect(await session.exit).toBe(137);
    const left = await exec(container, 'pgrep sleep');
    expect((await textOf(left.stdout)).trim().split('\n')).toHaveLength(1);
    await left.exit;
    await expect.poll(() => lab().leftovers(container)).toEqual([]);
  });

  test('a program that does not exist is named, and nothing is left', async () => {
    const container = await lab().idle();
    const process = { ...(container.bundle.process('') as object), args: ['/bin/absent'] };
    await expect(container.task.exec({ process, streams: everything })).rejects.toThrow(/absent|no such file/i);
    expect(lab().leftovers(container)).toEqual([]);
  });
});
