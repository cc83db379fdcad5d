import { existsSync, readFileSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { grpcStatus } from '../fixtures/cri.ts';
import { readLog, textOf } from './log-file.ts';
import { CriSuite, waiting, type SuitePod } from './suite.ts';

let suite: CriSuite;
let pod: SuitePod;
beforeAll(async () => {
  suite = await CriSuite.start();
  pod = await suite.pod();
});
afterAll(async () => suite.close());

async function logOf(command: readonly string[], over: object = {}): Promise<ReturnType<typeof readLog>> {
  // Read at once: a client may do so when the state says exited.
  return readLog((await suite.finish(pod, command, over)).log_path);
}

test('every line has time, stream and tag, and is there when the state says exited', async () => {
  const lines = await logOf(['sh', '-c', 'echo one; echo two >&2; echo three']);
  expect(lines.map(({ tag, content }) => [tag, content]).toSorted()).toEqual([['F', 'one'], ['F', 'three'], ['F', 'two']]);
  expect(textOf(lines)).toBe('one\nthree\n');
  expect(textOf(lines, 'stderr')).toBe('two\n');
});

test('nothing is lost of a flood that ends with the process', async () => {
  const lines = await logOf(['sh', '-c', 'seq 1 20000']);
  expect(textOf(lines)).toBe(`${Array.from({ length: 20_000 }, (_, index) => index + 1).join('\n')}\n`);
});

test('times never go back', async () => {
  const times = (await logOf(['sh', '-c', 'for i in $(seq 200); do echo $i; done'])).map(({ time }) => time);
  expect(times.map((time) => Date.parse(time))).toEqual(times.map((time) => Date.parse(time)).toSorted((a, b) => a - b));
});

test.each([
  [16_384, ['F:16384']],
  [16_385, ['P:16384', 'F:1']],
  [40_000, ['P:16384', 'P:16384', 'F:7232']],
])('a line of %d bytes is split at 16384', async (length, expected) => {
  const lines = await logOf(['sh', '-c', `head -c ${length} /dev/zero | tr '\\0' x; echo`]);
  expect(lines.map(({ tag, content }) => `${tag}:${content.length}`)).toEqual(expected);
});

test('the rest without a newline is a partial line', async () => {
  expect((await logOf(['printf', 'no newline'])).map(({ tag, content }) => [tag, content])).toEqual([['P', 'no newline']]);
});

test('a carriage return before the newline goes, other bytes stay', async () => {
  const { log_path: path } = await suite.finish(pod, ['printf', String.raw`a\rb\r\n\377\n`]);
  const text = readFileSync(path, 'latin1').split('\n').slice(0, -1).map((line) => line.split(' ').slice(3).join(' '));
  expect(text).toEqual(['a\rb', '\u00FF']);
});

test('a terminal is one stream', async () => {
  const lines = await logOf(['sh', '-c', 'echo out; echo err >&2; test -t 1 && echo tty $TERM'], { tty: true });
  expect(new Set(lines.map(({ stream }) => stream))).toEqual(new Set(['stdout']));
  expect(textOf(lines)).toBe('out\nerr\ntty xterm\n');
});

test('without a log path output is discarded and the container runs all the same', async () => {
  const status = await suite.finish(pod, ['sh', '-c', 'echo x; exit 3'], { log_path: '' });
  expect(status).toMatchObject({ exit_code: 3, log_path: '' });
});

test('the log is for root and its group, in directories that are made for it', async () => {
  const { log_path: path } = await suite.finish(pod, ['echo', 'x'], { log_path: 'deep/er/0.log' });
  expect(path).toBe(`${pod.config.log_directory}/deep/er/0.log`);
  expect(statSync(path).mode & 0o777).toBe(0o640);
  for (const directory of [dirname(path), dirname(dirname(path))]) expect(statSync(directory).mode & 0o777).toBe(0o755);
});

test('after ReopenContainerLog a new file gets the lines, the renamed one stays, none is lost or doubled', async () => {
  const id = await suite.run(pod, ['sh', '-c', 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.002; done']);
  const { log_path: path } = await suite.cri.containerStatus(id);
  const parts: string[] = [];
  for (let round = 0; round < 5; round += 1) {
    await sleep(60);
    const rotated = `${path}.${round}`;
    renameSync(path, rotated);
    await suite.cri.call('ReopenContainerLog', { container_id: id });
    expect(existsSync(path)).toBe(true);
    const size = statSync(rotated).size;
    await sleep(50);
    expect(statSync(rotated).size).toBe(size);
    parts.push(rotated);
  }
  await suite.cri.stopContainer(id, 0);
  const numbers = [...parts, path].flatMap((file) => readLog(file).map(({ content }) => Number(content)));
  expect(numbers.length).toBeGreaterThan(50);
  expect(numbers).toEqual(numbers.map((_, index) => index + 1));
});

test('a container that does not run refuses to reopen its log and makes no file', async () => {
  const id = await suite.create(pod, [...waiting]);
  const { log_path: path } = await suite.cri.containerStatus(id);
  await expect(suite.cri.call('ReopenContainerLog', { container_id: id })).rejects.toMatchObject({ code: grpcStatus.FAILED_PRECONDITION });
  expect(existsSync(path)).toBe(false);
  const done = await suite.finish(pod, ['true']);
  renameSync(done.log_path, `${done.log_path}.old`);
  await expect(suite.cri.call('ReopenContainerLog', { container_id: done.id })).rejects.toMatchObject({ code: grpcStatus.FAILED_PRECONDITION });
  expect(existsSync(done.log_path)).toBe(false);
  await expect(suite.cri.call('ReopenContainerLog', { container_id: 'f'.repeat(64) })).rejects.toMatchObject({ code: grpcStatus.NOT_FOUND });
});
