import { existsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { BerthError } from '../../lib/errors.ts';
import { abortable } from '../../lib/keyed-mutex.ts';
import type { AttachChoice, RuntimeHandler, ScoreChange, ShimLauncher, Task, TaskExit, TaskHandle, TaskSpec, TaskStatus } from '../../shim/port.ts';
import { FakeTask } from './fake-task.ts';

const sigkill = 9;
const sigterm = 15;

/** A shim and the process that it holds. */
export class FakeShim {
  readonly handle: TaskHandle;
  readonly spec: TaskSpec;
  readonly signals: { readonly signalNumber: number; readonly all: boolean }[] = [];
  readonly updates: unknown[] = [];
  readonly scores: ScoreChange[] = [];
  readonly #onEnd: () => void;
  readings = { cpuNs: 0n, atNs: 0n };
  ended = Promise.withResolvers<void>();
  status: TaskStatus = 'created';
  pid = 0;
  exit: TaskExit | undefined;
  frozen = false;
  /** How often it was asked for statistics. */
  statsAsked = 0;
  /** A frozen shim's callers give up after this long. */
  callMs = 10_000;
  lost = false;
  obeysTerm = true;
  refusesUpdates = false;
  execsEnded = 0;
  endExecsError: BerthError | undefined;
  reopened = 0;
  readonly attachments: AttachChoice[] = [];
  startError: BerthError | undefined;
  /** While set, the answer to a start waits for it; the process runs already. */
  startGate: Promise<void> | undefined;
  pauseError: BerthError | undefined;
  dumpError: BerthError | undefined;
  /** While set, a dump waits for it. */
  dumpGate: Promise<void> | undefined;

  /** Signals that a paused one has not heard yet. */
  readonly #pending: number[] = [];

  constructor(handle: TaskHandle, spec: TaskSpec, onEnd: () => void) {
    this.handle = handle;
    this.spec = spec;
    this.#onEnd = onEnd;
  }

  start(): void {
    if (this.startError !== undefined) throw this.startError;
    if (this.status !== 'created') throw new BerthError('precondition', `task ${this.handle.id} is ${this.status}`);
    this.status = 'running';
    this.pid = 4242;
  }

  pause(): void {
    if (this.pauseError !== undefined) throw this.pauseError;
    if (this.status !== 'running') throw new BerthError('precondition', `task ${this.handle.id} is ${this.status}`);
    this.status = 'paused';
  }

  resume(): void {
    if (this.status !== 'paused') throw new BerthError('precondition', `task ${this.handle.id} is ${this.status}`);
    this.status = 'running';
    for (const signalNumber of this.#pending.splice(0)) this.deliver(signalNumber);
  }

  /** Writes what CRIU would: here, the state that it found. */
  async dump(images: string): Promise<void> {
    await this.dumpGate;
    if (this.dumpError !== undefined) throw this.dumpError;
    writeFileSync(join(images, 'state'), this.status);
  }

  deliver(signalNumber: number): void {
    const ends = signalNumber === sigkill || (signalNumber === sigterm && this.obeysTerm);
    if (this.status === 'paused' && signalNumber !== sigkill) this.#pending.push(signalNumber);
    else if (ends && (this.status === 'running' || this.status === 'paused')) this.finish(128 + signalNumber);
  }

  /** The main process ends. */
  finish(exitCode: number, oomKilled = false): void {
    this.status = 'stopped';
    this.exit = { exitCode, exitedAtNs: BigInt(Date.now()) * 1_000_000n + 1_000_000n, oomKilled };
    this.ended.resolve();
  }

  /** The shim itself is killed; its container goes on running. */
  vanish(): void {
    this.lost = true;
    this.ended.resolve();
  }

  end(): void {
    this.#onEnd();
  }
}

/** Shims that outlive the engine that launched them. */
export class FakeShims implements ShimLauncher {
  readonly shims = new Map<string, FakeShim>();
  readonly records = new Map<string, TaskExit>();
  readonly buried: string[] = [];
  /** Handlers whose shims know the standard protocol alone. */
  readonly foreign = new Set<string>();
  readonly logDirsSeen: boolean[] = [];
  /** Called with each new shim, to give it a behaviour. */
  onLaunch: (shim: FakeShim) => void = () => undefined;
  launchError: BerthError | undefined;
  /** While set, a launch waits for it. */
  launchGate: Promise<void> | undefined;

  handlers(): readonly RuntimeHandler[] {
    return ['crun', 'runc'].map((name) => ({ name, shim: '/shim', runtime: `/usr/bin/${name}`, runtimeRoot: '', systemdCgroup: false, protocol: this.foreign.has(name) ? 'containerd' : 'berth' }));
  }

  async launch(handler: string, spec: TaskSpec, signal?: AbortSignal): Promise<Task> {
    await abortable(this.launchGate ?? Promise.resolve(), signal);
    if (this.launchError !== undefined) throw this.launchError;
    if (!existsSync(join(spec.bundle, 'config.json'))) throw new BerthError('not-found', `no bundle at ${spec.bundle}`);
    if (spec.logPath !== undefined) this.logDirsSeen.push(existsSync(dirname(spec.logPath)));
    const handle = { id: spec.id, handler, address: `unix://${spec.id}`, version: 3, bundle: spec.bundle, pid: 0 };
    const shim = new FakeShim(handle, spec, () => this.shims.delete(spec.id));
    this.shims.set(spec.id, shim);
    this.onLaunch(shim);
    return new FakeTask(shim);
  }

  async attach(handle: TaskHandle, signal?: AbortSignal): Promise<Task | undefined> {
    const shim = this.shims.get(handle.id);
    if (shim === undefined || shim.lost) return undefined;
    const task = new FakeTask(shim);
    await task.state(signal);
    return task;
  }

  specAnnotations(): Readonly<Record<string, string>> {
    return {};
  }

  exitRecord(bundle: string): TaskExit | undefined {
    return this.records.get(bundle);
  }

  async bury(handle: TaskHandle): Promise<void> {
    this.buried.push(handle.id);
    this.shims.delete(handle.id);
  }

  /** Every process is gone. */
  reboot(): void {
    this.shims.clear();
  }

  get(id: string): FakeShim {
    const shim = this.shims.get(id);
    if (shim === undefined) throw new Error(`no shim for ${id}`);
    return shim;
  }
}
