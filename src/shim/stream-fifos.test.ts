import { execFileSync } from 'node:child_process';
import { closeSync, constants, existsSync, mkdirSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Agent } from '../agent/port.ts';
import type { StreamChoice } from './port.ts';
import { StreamFifos } from './stream-fifos.ts';

const { O_RDONLY, O_WRONLY, O_NONBLOCK } = constants;
const everything: StreamChoice = { stdin: true, stdout: true, stderr: false, tty: false };
const makeFifos: Agent['makeFifos'] = async (dir, names) => {
  mkdirSync(dir);
  execFileSync('mkfifo', names.map((name) => join(dir, name)));
};

let scratch: string;
let fifos: StreamFifos;
let inputsEnded: number;
/** The ends that a shim has open. */
let theirs: number[];

const shimOpens = (path: string, flags: number): number => {
  const fd = openSync(path, flags | O_NONBLOCK);
  theirs.push(fd);
  return fd;
};

const output = async (): Promise<string> => (fifos.stdout === undefined ? '' : text(fifos.stdout));

beforeEach(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'berth-fifos-'));
  theirs = [];
  inputsEnded = 0;
  fifos = await StreamFifos.make({ makeFifos } as Agent, {
    directory: join(scratch, 'io'),
    streams: everything,
    afterStdin: async () => {
      inputsEnded += 1;
    },
  });
});

afterEach(() => {
  fifos.abandon();
  for (const fd of theirs) closeSync(fd);
  rmSync(scratch, { recursive: true });
});

test('nothing ends before the shim has come; what it wrote is heard to the end', async () => {
  expect(fifos.paths).toEqual({ terminal: false, stdin: join(scratch, 'io/stdin'), stdout: join(scratch, 'io/stdout'), stderr: '' });
  const heard = output();
  await sleep(20);
  const out = shimOpens(fifos.paths.stdout, O_WRONLY);
  fifos.opened();
  writeSync(out, 'words');
  closeSync(out);
  theirs.length = 0;
  expect(await heard).toBe('words');
  await fifos.settle();
});

test('an output that stays open in silence counts as ended, and not while its reader has not taken all', async () => {
  const out = shimOpens(fifos.paths.stdout, O_WRONLY);
  fifos.opened();
  for (let written = 0; written < 300_000; ) {
    try {
      written += writeSync(out, Buffer.alloc(50_000, 'x'));
    } catch {
      break; // all that waits, with us and in the pipe
    }
    await sleep(5);
  }
  let settled = false;
  const settling = fifos.settle().then(() => {
    settled = true;
  });
  await sleep(700);
  expect(settled).toBe(false);
  expect((await output()).length).toBeGreaterThan(64 << 10);
  await settling;
});

test('the end of stdin closes the FIFO first and is told then', async () => {
  const input = shimOpens(fifos.paths.stdin, O_RDONLY);
  fifos.opened();
  fifos.stdin?.end('typed');
  await expect.poll(() => inputsEnded).toBe(1);
  const buffer = Buffer.alloc(100);
  expect(buffer.toString('utf8', 0, readSync(input, buffer))).toBe('typed');
  expect(readSync(input, buffer)).toBe(0);
});

test('what nobody reads is dropped', async () => {
  fifos.opened();
  const flushed = Promise.withResolvers<unknown>();
  fifos.stdin?.write(Buffer.alloc(1 << 20), flushed.resolve);
  expect(await flushed.promise).toBeFalsy();
  fifos.stdin?.end();
  await expect.poll(() => inputsEnded).toBe(1);
});

test('letting go removes everything', async () => {
  fifos.abandon();
  await fifos.settle();
  expect(existsSync(join(scratch, 'io'))).toBe(false);
  expect([fifos.stdin?.destroyed, fifos.stdout?.destroyed]).toEqual([true, true]);
});

test('when a FIFO cannot be opened, nothing is left', async () => {
  const directory = join(scratch, 'half');
  const half: Agent['makeFifos'] = async (dir) => makeFifos(dir, ['stdin']);
  const made = StreamFifos.make({ makeFifos: half } as Agent, { directory, streams: everything, afterStdin: async () => undefined });
  await expect(made).rejects.toMatchObject({ code: 'ENOENT' });
  expect(existsSync(directory)).toBe(false);
});
