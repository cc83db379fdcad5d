import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BerthError } from '../lib/errors.ts';
import { lockRoot } from './lock-root.ts';

let root: string;
let other: ChildProcess | undefined;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'berth-lock-'));
});

afterEach(() => {
  other?.kill('SIGKILL');
  other = undefined;
  rmSync(root, { recursive: true });
});

function refusal(): BerthError | undefined {
  try {
    lockRoot(root).release();
  } catch (error) {
    if (error instanceof BerthError) return error;
    throw error;
  }
  return undefined;
}

async function lockElsewhere(): Promise<ChildProcess> {
  const script = `import { lockRoot } from ${JSON.stringify(join(import.meta.dirname, 'lock-root.ts'))}; lockRoot(process.argv[1]); console.log('held'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, root], { stdio: ['ignore', 'pipe', 'inherit'] });
  other = child;
  if (child.stdout !== null) await once(child.stdout, 'data');
  return child;
}

test('one process owns a root, and the refusal names it', async () => {
  const child = await lockElsewhere();
  const error = refusal();
  expect(error?.kind).toBe('precondition');
  expect(error?.message).toBe(`another berthd (pid ${child.pid}) owns ${root}`);
});

test('the lock ends with its process, however that ends', async () => {
  const child = await lockElsewhere();
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(refusal()).toBeUndefined();
});

test('a released lock can be taken again, a held one not even by its own process', () => {
  const lock = lockRoot(root);
  expect(refusal()?.message).toContain(`pid ${process.pid}`);
  lock.release();
  expect(refusal()).toBeUndefined();
});

test('two roots do not disturb each other', () => {
  const lock = lockRoot(root);
  const next = lockRoot(join(root, 'inner'));
  next.release();
  lock.release();
});
