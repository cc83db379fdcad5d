import { randomBytes } from 'node:crypto';
import { closeSync, fstatSync, openSync, read as readFd, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BerthError } from '../lib/errors.ts';
import { longestTimerMs } from '../lib/long-sleep.ts';
import { packSpec, type ProcessId, type StdioPaths, type TaskMethods } from './methods.ts';
import type { ExecOutcome, ExecSpec } from './port.ts';
import { callMs, type ShimParts, type ShimTarget, taskMethodsOf } from './shim-parts.ts';

const sigkill = 9;
const read = promisify(readFd);

interface Execution {
  readonly parts: ShimParts;
  readonly target: ShimTarget;
  readonly methods: TaskMethods;
  readonly process: ProcessId;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a process in a container of berth-shim's to its end. Its output goes through files of the bundle, which the shim cuts;
 * the daemon has no work while the process runs.
 * @throws BerthError `timeout` after `timeoutMs`, or the signal's reason; the process is dead by then.
 */
export async function execSync(parts: ShimParts, target: ShimTarget, spec: ExecSpec, signal?: AbortSignal): Promise<ExecOutcome> {
  signal?.throwIfAborted();
  const execId = randomBytes(8).toString('hex');
  const path = join(target.handle.bundle, `exec-${execId}`);
  const execution: Execution = {
    parts,
    target,
    methods: taskMethodsOf(parts, target.handle),
    process: { id: target.handle.id, execId },
    stdout: `${path}.out`,
    stderr: `${path}.err`,
  };
  const outputs: number[] = [];
  try {
    for (const file of [execution.stdout, execution.stderr]) outputs.push(openSync(file, 'wx+', 0o600));
    return await run(execution, spec, { outputs, signal });
  } finally {
    for (const output of outputs) closeSync(output);
    for (const file of [execution.stdout, execution.stderr]) rmSync(file, { force: true });
  }
}

/** `outputs` are the files of stdout and stderr, held open: with its container removed, the bundle goes before the command's answer. */
async function run(execution: Execution, spec: ExecSpec, { outputs, signal }: { readonly outputs: readonly number[]; readonly signal: AbortSignal | undefined }): Promise<ExecOutcome> {
  const { methods, process } = execution;
  const end = endOf(execution, spec, signal);
  try {
    await call(execution, methods.exec, { ...process, ...stdio(execution, spec.maxOutputBytes), spec: packSpec('Process', spec.process) }, { timeoutMs: callMs.exec, signal: end });
    await startOrKill(execution, end);
    const { exitStatus } = await waitOrKill(execution, end);
    // Delete first: it returns when the output has been written.
    await call(execution, methods.delete, process, { timeoutMs: callMs.delete });
    const [stdout = new Uint8Array(), stderr = new Uint8Array()] = await Promise.all(outputs.map((output) => head(output, spec.maxOutputBytes)));
    return { stdout, stderr, exitCode: exitStatus };
  } catch (error) {
    await call(execution, methods.delete, process, { timeoutMs: callMs.undoExec }).catch(() => undefined);
    throw error;
  }
}

function call<Request, Response>(
  { parts, target }: Execution,
  method: Parameters<typeof parts.connections.call<Request, Response>>[1],
  request: Request,
  options: { readonly timeoutMs?: number; readonly signal?: AbortSignal },
): Promise<Response> {
  return parts.connections.call(target.handle.address, method, request, options);
}

function stdio({ stdout, stderr }: Execution, maxOutputBytes: number): StdioPaths {
  const uri = (path: string): string => `file://${path}?limit=${maxOutputBytes}`;
  return { terminal: false, stdin: '', stdout: uri(stdout), stderr: uri(stderr) };
}

/** Aborts when nobody waits for the command any more, with what its caller hears. The OCI runtime's time counts, too. */
function endOf({ process }: Execution, { timeoutMs }: ExecSpec, signal: AbortSignal | undefined): AbortSignal {
  const end = new AbortController();
  const deadline = timeoutMs === undefined || timeoutMs > longestTimerMs ? undefined : AbortSignal.timeout(timeoutMs);
  deadline?.addEventListener('abort', () => {
    end.abort(new BerthError('timeout', `command timed out after ${(timeoutMs ?? 0) / 1000} s in container ${process.id}`));
  });
  return signal === undefined ? end.signal : AbortSignal.any([signal, end.signal]);
}

async function waitOrKill(execution: Execution, end: AbortSignal): Promise<{ readonly exitStatus: number }> {
  try {
    return await call(execution, execution.methods.wait, execution.process, { signal: end });
  } catch (error) {
    if (end.aborted) await killAndWait(execution);
    throw error;
  }
}

async function startOrKill(execution: Execution, end: AbortSignal): Promise<void> {
  try {
    await call(execution, execution.methods.start, execution.process, { timeoutMs: callMs.start, signal: end });
  } catch (error) {
    // It may start all the same, only too late.
    await kill(execution);
    throw error;
  }
}

async function killAndWait(execution: Execution): Promise<void> {
  await kill(execution);
  await call(execution, execution.methods.wait, execution.process, { timeoutMs: callMs.default });
}

/** It may have ended in the meantime, which a wait finds out. */
async function kill(execution: Execution): Promise<void> {
  await call(execution, execution.methods.kill, { ...execution.process, signal: sigkill, all: false }, { timeoutMs: callMs.default }).catch(() => undefined);
}

async function head(file: number, maxBytes: number): Promise<Uint8Array> {
  const buffer = Buffer.alloc(Math.min(fstatSync(file).size, maxBytes));
  const { bytesRead } = await read(file, buffer, 0, buffer.length, 0);
  return buffer.subarray(0, bytesRead);
}
