import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { BerthError } from '../../lib/errors.ts';
import { abortable } from '../../lib/keyed-mutex.ts';
import type { CgroupStats } from '../../agent/port.ts';
import type { AttachChoice, ExecOutcome, ExecSessionSpec, ExecSpec, ScoreChange, Session, StreamChoice, Task, TaskExit, TaskHandle, TaskState } from '../../shim/port.ts';
import { cgroupStats } from './cgroup-stats.ts';
import type { FakeShim } from './fake-shims.ts';

const gone = (id: string): BerthError => new BerthError('unavailable', `the shim of ${id} is gone`);

/** A process that says one thing and ends. */
function fakeSession({ stdin, stdout, stderr }: StreamChoice, words: string): Session {
  return {
    stdin: stdin ? new PassThrough() : undefined,
    stdout: stdout ? new PassThrough().end(words) : undefined,
    stderr: stderr ? new PassThrough().end() : undefined,
    resize: async () => undefined,
    exit: Promise.resolve(0),
    close: async () => undefined,
  };
}

/** One connection to a fake shim, with the refusals of a real one. */
export class FakeTask implements Task {
  readonly #shim: FakeShim;

  constructor(shim: FakeShim) {
    this.#shim = shim;
  }

  get handle(): TaskHandle {
    return { ...this.#shim.handle, pid: this.#shim.pid };
  }

  async start(signal?: AbortSignal): Promise<{ readonly pid: number }> {
    await this.#answers(signal);
    this.#shim.start();
    await abortable(this.#shim.startGate ?? Promise.resolve(), signal);
    return { pid: this.#shim.pid };
  }

  async state(signal?: AbortSignal): Promise<TaskState> {
    await this.#answers(signal);
    return { status: this.#shim.status, pid: this.#shim.pid, exit: this.#shim.exit };
  }

  async wait(signal?: AbortSignal): Promise<TaskExit | undefined> {
    await abortable(this.#shim.ended.promise, signal);
    return this.#shim.exit;
  }

  async kill(signalNumber: number, options: { readonly all: boolean }, signal?: AbortSignal): Promise<void> {
    await this.#answers(signal);
    this.#shim.signals.push({ signalNumber, all: options.all });
    this.#shim.deliver(signalNumber);
  }

  async execSync(spec: ExecSpec, signal?: AbortSignal): Promise<ExecOutcome> {
    await this.#answers(signal);
    return { stdout: new TextEncoder().encode(JSON.stringify(spec.process)), stderr: new Uint8Array(0), exitCode: 0 };
  }

  async exec(spec: ExecSessionSpec, signal?: AbortSignal): Promise<Session> {
    await this.#answers(signal);
    return fakeSession(spec.streams, JSON.stringify(spec.process));
  }

  async attach(streams: AttachChoice, signal?: AbortSignal): Promise<Session> {
    await this.#answers(signal);
    this.#shim.attachments.push(streams);
    return fakeSession(streams, 'attached');
  }

  async endExecs(signal?: AbortSignal): Promise<void> {
    await this.#answers(signal);
    if (this.#shim.endExecsError !== undefined) throw this.#shim.endExecsError;
    this.#shim.execsEnded += 1;
  }

  async stats(signal?: AbortSignal): Promise<CgroupStats> {
    this.#shim.statsAsked += 1;
    await this.#answers(signal);
    return cgroupStats(this.#shim.readings.atNs, this.#shim.readings.cpuNs);
  }

  async update(resources: unknown, signal?: AbortSignal): Promise<void> {
    await this.#answers(signal);
    if (this.#shim.refusesUpdates) throw new BerthError('internal', 'the kernel refused the limit');
    this.#shim.updates.push(resources);
  }

  changeOomScore(change: ScoreChange): void {
    this.#shim.scores.push(change);
  }

  async pause(signal?: AbortSignal): Promise<void> {
    await this.#answers(signal);
    this.#shim.pause();
  }

  async resume(signal?: AbortSignal): Promise<void> {
    await this.#answers(signal);
    this.#shim.resume();
  }

  async checkpoint(images: string, signal?: AbortSignal): Promise<void> {
    await this.#answers(signal);
    await this.#shim.dump(images);
  }

  async reopenLog(signal?: AbortSignal): Promise<void> {
    await this.#answers(signal);
    this.#shim.reopened += 1;
  }

  async startPhases(signal?: AbortSignal): Promise<Readonly<Record<string, number>>> {
    await this.#answers(signal);
    return { rootfs: 1, runtime: 2 };
  }

  async remove(signal?: AbortSignal): Promise<void> {
    await this.#answers(signal).catch((error: unknown) => {
      if (!this.#shim.lost) throw error;
    });
    if (this.#shim.status === 'running' && !this.#shim.lost) throw new BerthError('precondition', `container ${this.#shim.handle.id} is running`);
    this.#shim.end();
  }

  /** A frozen shim answers never, a lost one refuses. */
  async #answers(signal: AbortSignal | undefined): Promise<void> {
    if (this.#shim.lost) throw gone(this.#shim.handle.id);
    if (!this.#shim.frozen) return;
    await abortable(sleep(this.#shim.callMs), signal);
    throw new BerthError('timeout', `the shim of ${this.#shim.handle.id} did not answer`);
  }
}
