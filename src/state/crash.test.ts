import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openState } from './open-state.ts';
import { schema } from './schema.ts';

let root: string;
let writer: ChildProcess | undefined;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'berth-crash-'));
});

afterEach(() => {
  writer?.kill('SIGKILL');
  rmSync(root, { recursive: true });
});

/** Writes pairs of records as fast as it can, telling of each pair that is committed. */
const script = `
import { writeSync } from 'node:fs';
import { openState } from ${JSON.stringify(join(import.meta.dirname, 'open-state.ts'))};
import { schema } from ${JSON.stringify(join(import.meta.dirname, 'schema.ts'))};
const say = (fields, message) => writeSync(2, message);
const state = openState(process.argv[1], { warn: say, error: say }, [schema]);
for (let n = Number(process.argv[2]); ; n += 1) {
  state.transaction(() => {
    state.put('pod', String(n % 500), { n, fill: 'x'.repeat(n % 3000) });
    state.put('container', String(n % 500), { n });
  });
  writeSync(1, n + '\\n');
}`;

async function writeAndKill(from: number): Promise<number> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, root, String(from)], { stdio: ['ignore', 'pipe', 'inherit'] });
  writer = child;
  let told = '';
  child.stdout?.on('data', (chunk) => {
    told += String(chunk);
  });
  if (child.stdout !== null) await once(child.stdout, 'data');
  await sleep(30 + (from % 50));
  child.kill('SIGKILL');
  await once(child, 'close');
  return Number(told.trimEnd().split('\n').at(-1));
}

test('what was committed before a kill is there after it, in whole transactions', async () => {
  const lines: string[] = [];
  const note = (_: object, message: string): unknown => lines.push(message);
  let last = 0;
  for (let round = 0; round < 10; round += 1) {
    last = await writeAndKill(last + 1);
    const state = openState(root, { warn: note, error: note }, [schema]);
    const numbers = (kind: 'pod' | 'container'): number[] => state.load(kind).map(({ value }) => (value as { readonly n: number }).n);
    const [pods, containers] = [numbers('pod'), numbers('container')];
    state.close();
    expect(pods).toEqual(containers);
    // One more may have been committed than was told.
    expect([last, last + 1]).toContain(Math.max(...pods));
    last = Math.max(...pods);
  }
  expect(last).toBeGreaterThan(100);
  expect(lines).toEqual([]);
});
