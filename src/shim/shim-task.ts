import { BerthError, isKind } from '../lib/errors.ts';
import type { CgroupStats } from '../agent/port.ts';
import { timestampNs } from '../lib/proto.ts';
import type { Method } from '../lib/ttrpc/method.ts';
import { openAttachment } from './attachment.ts';
import { buryShim } from './bury-shim.ts';
import { decodeStats } from './decode-stats.ts';
import { execCollected } from './exec-collected.ts';
import { openExec } from './exec-session.ts';
import { execSync } from './exec-sync.ts';
import { readExitRecord } from './exit-record.ts';
import { ForeignStreams } from './foreign-streams.ts';
import { type ContainerMethods, type ExitAnswer, pack, packSpec, type ProcessId, type TaskMethods } from './methods.ts';
import { changeOomScores } from './oom-score.ts';
import type { AttachChoice, ExecOutcome, ExecSessionSpec, ExecSpec, ScoreChange, Session, Task, TaskExit, TaskHandle, TaskState, TaskStatus, TerminalSize } from './port.ts';
import { callMs, type ShimParts, type ShimTarget, taskMethodsOf } from './shim-parts.ts';
import { settleShim } from './start-shim.ts';

const sigkill = 9;
const killedBySignal9 = 128 + sigkill;
/** How long the end of a foreign shim's container waits for news of an OOM kill. */
const oomGraceMs = 200;

/** By containerd.v1.types.Status. */
export const statuses: readonly TaskStatus[] = ['unknown', 'created', 'running', 'stopped', 'paused', 'paused'];

type AttachPaths = Parameters<ContainerMethods['attach']['request']['encode']>[0];

interface Options {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
}

/** A Task over ttrpc, the same for every shim; `handler.protocol` decides who writes the log and tells of an OOM kill. */
export class ShimTask implements Task {
  readonly #parts: ShimParts;
  readonly #target: ShimTarget;
  readonly #methods: TaskMethods;
  readonly #main: ProcessId;
  /** Of a foreign shim's container; our own shim has the streams itself. */
  readonly #foreign: ForeignStreams | undefined;
  #pid: number;
  /** A SIGKILL of ours explains the exit code that an OOM kill would have, too. */
  #killed = false;

  constructor(parts: ShimParts, target: ShimTarget) {
    this.#parts = parts;
    this.#target = target;
    this.#methods = taskMethodsOf(parts, target.handle);
    this.#main = { id: target.handle.id, execId: '' };
    this.#pid = target.handle.pid;
    parts.tasks.add(target.handle);
    if (target.handler.protocol === 'berth') return;
    this.#foreign = new ForeignStreams(parts, target);
    parts.oom.watch(target.handle.id);
  }

  get handle(): TaskHandle {
    return { ...this.#target.handle, pid: this.#pid };
  }

  async start(signal?: AbortSignal): Promise<{ readonly pid: number }> {
    const { pid } = await this.#call(this.#methods.start, this.#main, { signal, timeoutMs: callMs.start });
    this.#pid = pid;
    void this.#parts.seccomp.learn(this.#target.handler, this.#target.handle);
    return { pid };
  }

  /** Takes over a task that an earlier berthd started. Fails as `state` does. */
  async adopt(signal?: AbortSignal): Promise<void> {
    const { status } = await this.state(signal);
    if (status !== 'stopped') await this.#foreign?.ensure(signal);
  }

  async state(signal?: AbortSignal): Promise<TaskState> {
    const answer = await this.#call(this.#methods.state, this.#main, { signal });
    const status = statuses[answer.status] ?? 'unknown';
    this.#pid = answer.pid;
    return { status, pid: answer.pid, exit: status === 'stopped' ? await this.#exit(answer) : undefined };
  }

  async wait(signal?: AbortSignal): Promise<TaskExit | undefined> {
    for (const attempt of [1, 2]) {
      try {
        const answer = await this.#call(this.#methods.wait, this.#main, { signal, timeoutMs: undefined });
        await this.#foreign?.settle(signal);
        return await this.#exit(answer);
      } catch (error) {
        // The connection may break without the shim; a second time it is the shim.
        if (isKind(error, 'unavailable') && attempt === 1) continue;
        if (isKind(error, 'unavailable') || isKind(error, 'not-found')) return readExitRecord(this.#target.handle.bundle);
        throw error;
      }
    }
    return undefined;
  }

  async kill(signalNumber: number, options: { readonly all: boolean }, signal?: AbortSignal): Promise<void> {
    if (signalNumber === sigkill) this.#killed = true;
    await ignoring('not-found', this.#call(this.#methods.kill, { ...this.#main, signal: signalNumber, all: options.all }, { signal }));
  }

  async execSync(spec: ExecSpec, signal?: AbortSignal): Promise<ExecOutcome> {
    const run = this.#foreign === undefined ? execSync : execCollected;
    return run(this.#parts, this.#target, spec, signal);
  }

  async exec(spec: ExecSessionSpec, signal?: AbortSignal): Promise<Session> {
    return openExec(this.#parts, this.#target, spec, signal);
  }

  async attach(streams: AttachChoice, signal?: AbortSignal): Promise<Session> {
    const { attach } = this.#parts.methods.container;
    const to = {
      streams,
      join: async (paths: AttachPaths, until: AbortSignal | undefined) => {
        if (this.#foreign === undefined) await this.#call(attach, paths, { signal: until });
        else await (await this.#running(this.#foreign, until)).attach(paths, until);
      },
      wait: (until: AbortSignal) => this.wait(until),
      resize: async ({ columns, rows }: TerminalSize) => {
        await this.#call(this.#methods.resizePty, { ...this.#main, width: columns, height: rows }, {});
      },
    };
    return openAttachment(this.#parts, this.#target, to, signal);
  }

  async endExecs(signal?: AbortSignal): Promise<void> {
    if (this.#foreign === undefined) await this.#call(this.#parts.methods.container.endExecs, {}, { signal });
  }

  async stats(signal?: AbortSignal): Promise<CgroupStats> {
    const { stats } = await this.#call(this.#methods.stats, { id: this.#main.id }, { signal, timeoutMs: callMs.stats });
    return decodeStats(stats, this.#parts.methods, this.#parts.clock.nowNs());
  }

  async update(resources: unknown, signal?: AbortSignal): Promise<void> {
    await this.#call(this.#methods.update, { id: this.#main.id, resources: packSpec('LinuxResources', resources) }, { signal });
  }

  changeOomScore(change: ScoreChange): void {
    if (this.#pid !== 0) changeOomScores(this.#pid, change);
  }

  async pause(signal?: AbortSignal): Promise<void> {
    await this.#call(this.#methods.pause, { id: this.#main.id }, { signal });
  }

  async resume(signal?: AbortSignal): Promise<void> {
    await this.#call(this.#methods.resume, { id: this.#main.id }, { signal });
  }

  async checkpoint(images: string, signal?: AbortSignal): Promise<void> {
    const options = pack(this.#parts.methods.checkpointOptions, { openTcp: true, fileLocks: true });
    try {
      await this.#call(this.#methods.checkpoint, { id: this.#main.id, path: images, options }, { signal, timeoutMs: callMs.checkpoint });
    } catch (error) {
      // A shim has no better code for a runtime that refuses; that CRIU cannot is no defect of anybody's here.
      if (!(error instanceof BerthError) || error.kind !== 'internal') throw error;
      throw new BerthError('precondition', error.message, { hint: '`criu check` on the node tells whether CRIU is installed and knows its kernel', cause: error });
    }
  }

  async reopenLog(signal?: AbortSignal): Promise<void> {
    if (this.#foreign === undefined) await this.#call(this.#parts.methods.container.reopenLog, {}, { signal });
    else await (await this.#running(this.#foreign, signal)).reopenLog(signal);
  }

  async startPhases(signal?: AbortSignal): Promise<Readonly<Record<string, number>>> {
    if (this.#foreign !== undefined) return {};
    const { micros } = await this.#call(this.#parts.methods.container.describe, {}, { signal });
    return Object.fromEntries(Object.entries(micros).map(([name, value]) => [name, Number(value) / 1000]));
  }

  async remove(signal?: AbortSignal): Promise<void> {
    try {
      await ignoring('not-found', this.#call(this.#methods.delete, this.#main, { signal, timeoutMs: callMs.delete }));
      // The shim may end before its answer is out.
      await ignoring('unavailable', this.#call(this.#methods.shutdown, { id: this.#main.id, now: false }, { signal }));
    } catch (error) {
      signal?.throwIfAborted();
      // Gone, or its OCI runtime hangs.
      if (!isKind(error, 'unavailable') && !isKind(error, 'timeout')) throw error;
      await buryShim(this.#parts, this.#target, signal);
      return;
    }
    this.#parts.connections.forget(this.#target.handle.address);
    await this.#foreign?.finish(signal);
    if (this.#foreign !== undefined) await this.#settle(signal);
    this.#parts.oom.unwatch(this.#main.id);
    this.#parts.tasks.delete(this.#target.handle);
  }

  /** A foreign shim leaves an OCI runtime that hangs behind, and one that does not end would stay for ever. */
  async #settle(signal: AbortSignal | undefined): Promise<void> {
    const { agent, tasks, places, berthShim } = this.#parts;
    const { handle, handler } = this.#target;
    if (!tasks.isShared(handle)) await settleShim(agent, { handler, id: handle.id, bundle: handle.bundle, places }, berthShim, signal);
  }

  /** A foreign shim's streams, unless its container has ended: they may outlive it for a while. */
  async #running(foreign: ForeignStreams, signal: AbortSignal | undefined): Promise<ForeignStreams> {
    if ((await this.state(signal)).status === 'stopped') throw new BerthError('precondition', `container ${this.#main.id} has ended`);
    return foreign;
  }

  #call<Request, Response>(method: Method<Request, Response>, request: Request, options: Options): Promise<Response> {
    return this.#parts.connections.call(this.#target.handle.address, method, request, { timeoutMs: callMs.default, ...options });
  }

  async #exit(answer: ExitAnswer): Promise<TaskExit> {
    return { exitCode: answer.exitStatus, exitedAtNs: timestampNs(answer.exitedAt), oomKilled: await this.#oomKilled(answer.exitStatus) };
  }

  async #oomKilled(exitCode: number): Promise<boolean> {
    if (this.#foreign === undefined) return readExitRecord(this.#target.handle.bundle)?.oomKilled ?? false;
    const mayBe = exitCode === killedBySignal9 && !this.#killed;
    return this.#parts.oom.within(this.#main.id, mayBe ? oomGraceMs : 0);
  }
}

async function ignoring(kind: 'not-found' | 'unavailable', promise: Promise<unknown>): Promise<void> {
  try {
    await promise;
  } catch (error) {
    if (!isKind(error, kind)) throw error;
  }
}
