import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { BerthError, isKind } from '../lib/errors.ts';
import type { CallOptions } from '../lib/ttrpc/client.ts';
import type { Method } from '../lib/ttrpc/method.ts';
import { packSpec, type ProcessId, type TaskMethods } from './methods.ts';
import type { ExecSessionSpec, Session, TerminalSize } from './port.ts';
import { callMs, type ShimParts, type ShimTarget, taskMethodsOf } from './shim-parts.ts';
import { StreamFifos } from './stream-fifos.ts';

const sigkill = 9;

/** One exec'd process as its shim knows it. */
class ExecProcess {
  readonly id: ProcessId;
  readonly methods: TaskMethods;
  readonly #parts: ShimParts;
  readonly #target: ShimTarget;

  constructor(parts: ShimParts, target: ShimTarget) {
    this.#parts = parts;
    this.#target = target;
    this.id = { id: target.handle.id, execId: randomBytes(8).toString('hex') };
    this.methods = taskMethodsOf(parts, target.handle);
  }

  /** Its own directory in the bundle. */
  get directory(): string {
    return join(this.#target.handle.bundle, `exec-${this.id.execId}`);
  }

  call<Request, Response>(method: Method<Request, Response>, request: Request, options: CallOptions = { timeoutMs: callMs.default }): Promise<Response> {
    return this.#parts.connections.call(this.#target.handle.address, method, request, options);
  }

  /** It may have ended meanwhile, or never have started: whoever waits for it finds out. */
  async kill(timeoutMs: number = callMs.default): Promise<void> {
    await this.call(this.methods.kill, { ...this.id, signal: sigkill, all: false }, { timeoutMs }).catch(() => undefined);
  }

  async delete(timeoutMs: number = callMs.delete): Promise<void> {
    await this.call(this.methods.delete, this.id, { timeoutMs });
  }

  /** After a failed start, which is what counts: it may run all the same, too late or without its terminal. The shim's end takes what this leaves. */
  async undo(): Promise<void> {
    await this.kill(callMs.undoExec);
    await this.delete(callMs.undoExec).catch(() => undefined);
  }

  /** The process sees the end of its input when all who hold the FIFO have closed it, which the shim does on demand. */
  async closeStdin(): Promise<void> {
    try {
      await this.call(this.methods.closeIo, { ...this.id, stdin: true });
    } catch (error) {
      if (!isKind(error, 'not-found') && !isKind(error, 'unavailable')) throw error;
    }
  }
}

/** What is executed, and how long its start may take, which the shim is told, too. */
export type ExecStart = ExecSessionSpec & { readonly startMs?: number };

/** Starts a process whose streams are FIFOs, which every shim knows. */
export async function openExec(parts: ShimParts, target: ShimTarget, { process, streams, startMs = callMs.start }: ExecStart, signal?: AbortSignal): Promise<Session> {
  signal?.throwIfAborted();
  const exec = new ExecProcess(parts, target);
  const fifos = await StreamFifos.make(parts.agent, { directory: exec.directory, streams, afterStdin: () => exec.closeStdin() });
  try {
    await exec.call(exec.methods.exec, { ...exec.id, ...fifos.paths, spec: packSpec('Process', process) }, { timeoutMs: callMs.exec, signal });
    await exec.call(exec.methods.start, exec.id, { timeoutMs: startMs, signal });
  } catch (error) {
    fifos.abandon();
    await exec.undo();
    throw error;
  }
  fifos.opened();
  const session = new ExecSession(exec, fifos);
  if (signal?.aborted === true) await session.close();
  signal?.throwIfAborted();
  return session;
}

class ExecSession implements Session {
  readonly stdin: Session['stdin'];
  readonly stdout: Session['stdout'];
  readonly stderr: Session['stderr'];
  readonly exit: Promise<number | undefined>;
  readonly #exec: ExecProcess;
  readonly #fifos: StreamFifos;
  readonly #waiting = new AbortController();
  #ended = false;
  #deleted: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor(exec: ExecProcess, fifos: StreamFifos) {
    ({ stdin: this.stdin, stdout: this.stdout, stderr: this.stderr } = fifos);
    this.#exec = exec;
    this.#fifos = fifos;
    this.exit = this.#finish();
  }

  async resize({ columns, rows }: TerminalSize): Promise<void> {
    if (!this.#fifos.paths.terminal) throw new BerthError('precondition', 'the process has no terminal');
    await this.#exec.call(this.#exec.methods.resizePty, { ...this.#exec.id, width: columns, height: rows });
  }

  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  async #finish(): Promise<number | undefined> {
    const code = await this.#exitStatus();
    this.#ended = true;
    await this.#fifos.settle();
    this.#fifos.remove();
    // containerd's shim takes ten seconds when a child stays behind. One that is gone has taken the process with it.
    this.#deleted = this.#exec.delete().catch(() => undefined);
    return code;
  }

  async #exitStatus(): Promise<number | undefined> {
    try {
      return (await this.#exec.call(this.#exec.methods.wait, this.#exec.id, { signal: this.#waiting.signal })).exitStatus;
    } catch {
      return undefined;
    }
  }

  async #end(): Promise<void> {
    this.#fifos.abandon();
    if (!this.#ended) await this.#exec.kill();
    const patience = new AbortController();
    // A shim that does not tell of the end is not waited for.
    void sleep(callMs.default, undefined, { signal: patience.signal }).then(() => this.#waiting.abort(), () => undefined);
    await this.exit;
    patience.abort();
    await this.#deleted;
  }
}
