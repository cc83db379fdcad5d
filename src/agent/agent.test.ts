import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isKind } from '../lib/errors.ts';
import { AgentClient } from './agent-client.ts';
import { AgentSupervisor } from './agent-supervisor.ts';

let dir: string;
let lines: { readonly level: string; readonly fields: object; readonly message: string }[];
let supervisor: AgentSupervisor;

const log = {
  info: (fields: object, message: string): unknown => lines.push({ level: 'info', fields, message }),
  warn: (fields: object, message: string): unknown => lines.push({ level: 'warn', fields, message }),
  error: (fields: object, message: string): unknown => lines.push({ level: 'error', fields, message }),
};

function agentOf(path: string): AgentClient {
  supervisor = new AgentSupervisor({ log }, { path, root: dir });
  return new AgentClient({ supervisor }, { pausePath: '/pause' });
}

function fakeAgent(): string {
  const path = join(dir, 'agent');
  writeFileSync(path, `#!/bin/sh\nexec ${process.execPath} ${join(import.meta.dirname, 'testing/fake-agent.ts')} "$@"\n`);
  chmodSync(path, 0o755);
  return path;
}

async function failure(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return undefined;
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'berth-agent-'));
  lines = [];
});

afterEach(async () => {
  await supervisor.close();
  rmSync(dir, { recursive: true });
});

test('calls reach the agent that is started, and its log lines reach ours', async () => {
  const agent = agentOf(fakeAgent());
  supervisor.start();
  const info = await agent.info();
  expect(info).toEqual({ version: 'fake', pid: supervisor.pid, idmappedMounts: false, cgroupMode: 'hybrid' });
  const answer = await agent.exec({ argv: ['/bin/x'], env: { A: '1', B: 'x=y' }, stdin: Buffer.from('in'), timeoutMs: 77 });
  expect(JSON.parse(Buffer.from(answer.stdout).toString())).toEqual(['A=1', 'B=x=y']);
  expect([Buffer.from(answer.stderr).toString(), answer.exitCode]).toEqual(['in', 77]);
  expect(supervisor.healthy).toBe(true);
  await expect.poll(() => lines).toContainEqual({ level: 'warn', fields: { arguments: ['--fd', '3', '--root', dir] }, message: 'agent: hello' });
  expect(lines).toContainEqual({ level: 'warn', fields: { line: 'no json' }, message: 'agent' });
});

test('when the agent is killed, open calls fail and later ones wait for the next agent', async () => {
  const agent = agentOf(fakeAgent());
  supervisor.start();
  const { pid } = await agent.info();
  const open = failure(agent.exec({ argv: ['hang'], env: {} }));
  await agent.info();
  process.kill(pid, 'SIGKILL');
  expect(isKind(await open, 'unavailable')).toBe(true);
  const next = await agent.info();
  expect(next.pid).not.toBe(pid);
  expect(supervisor.restarts).toBe(1);
  expect(lines.find((line) => line.level === 'error')?.fields).toMatchObject({ reason: 'signal SIGKILL' });
});

test('without a binary, calls fail after two seconds and say why; an abort ends the wait at once', async () => {
  const agent = agentOf(join(dir, 'absent'));
  supervisor.start();
  const began = performance.now();
  const abort = new AbortController();
  const [aborted, patient] = [failure(agent.info(abort.signal)), failure(agent.info())];
  abort.abort(new Error('enough'));
  expect(await Promise.race([patient, aborted])).toMatchObject({ message: 'enough' });
  expect(await patient).toMatchObject({ kind: 'unavailable', message: expect.stringContaining('ENOENT') });
  expect(performance.now() - began).toBeLessThan(4000);
  expect(supervisor.healthy).toBe(false);
  expect(supervisor.pid).toBeUndefined();
});

test('close ends the agent and nothing starts it again', async () => {
  const agent = agentOf(fakeAgent());
  supervisor.start();
  const { pid } = await agent.info();
  await supervisor.close();
  expect(alive(pid)).toBe(false);
  expect(isKind(await failure(agent.info()), 'unavailable')).toBe(true);
  expect(supervisor.restarts).toBe(0);
});
