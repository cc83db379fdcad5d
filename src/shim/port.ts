import type { Readable, Writable } from 'node:stream';
import type { CgroupStats, FilesystemMount } from '../agent/port.ts';

/** Annotations of a spec whose names begin so are between berth and the runtime, and nobody's to see. */
export const runtimeAnnotations = 'run.oci.';

/** One configured runtime handler ([runtimes.NAME] in the config). */
export interface RuntimeHandler {
  readonly name: string;
  /** Absolute path of the shim binary (berth-shim or any containerd shim v2). */
  readonly shim: string;
  /** Absolute path of the OCI runtime; only for shims that run one. */
  readonly runtime: string;
  readonly runtimeRoot: string;
  readonly systemdCgroup: boolean;
  /** 'berth' shims write the log and the exit file themselves; 'containerd' ones get the standard protocol alone. */
  readonly protocol: 'berth' | 'containerd';
}

export interface TaskSpec {
  readonly id: string;
  /** Bundle directory holding config.json; the shim mounts rootfs below it. Its last part is the id, which containerd's shim relies on. */
  readonly bundle: string;
  readonly rootfs: readonly FilesystemMount[];
  readonly terminal: boolean;
  /** Keeps a pipe open as stdin. Shims of protocol 'containerd' cannot. */
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  /** CRI log file, or undefined to discard the output. */
  readonly logPath: string | undefined;
  readonly maxLogLineBytes: number;
  /** Directory of a checkpoint's images that start() restores the processes from, instead of running the program. */
  readonly checkpoint?: string;
}

/** What must be remembered to find a task again after a restart of berthd. JSON-safe. */
export interface TaskHandle {
  readonly id: string;
  readonly handler: string;
  readonly address: string;
  readonly version: number;
  readonly bundle: string;
  readonly pid: number;
}

export interface TaskExit {
  readonly exitCode: number;
  readonly exitedAtNs: bigint;
  readonly oomKilled: boolean;
}

/** Values of oom_score_adj. */
export interface ScoreChange {
  readonly from: number;
  readonly to: number;
}

export type TaskStatus = 'created' | 'running' | 'paused' | 'stopped' | 'unknown';

export interface TaskState {
  readonly status: TaskStatus;
  readonly pid: number;
  readonly exit: TaskExit | undefined;
}

export interface ExecSpec {
  /** OCI process object (runtime spec, `process`). */
  readonly process: unknown;
  readonly timeoutMs: number | undefined;
  /** Bytes kept of stdout and stderr each; the rest is drained and dropped. */
  readonly maxOutputBytes: number;
}

export interface ExecOutcome {
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly exitCode: number;
}

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** Which streams a client wants. With a terminal the process has one output, stdout. */
export interface StreamChoice {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** What a client wants of a container's own streams. */
export interface AttachChoice extends StreamChoice {
  /** The end of the client's stdin, of which the container does not hear, ends the session; it has no exit code then. */
  readonly endsWithInput?: boolean;
}

/** A process in a container and the streams of one client that talks to it. */
export interface Session {
  /** Ending it closes the process's stdin: always for an exec, with `stdin_once` alone for an attachment. What a process no longer reads is dropped. */
  readonly stdin: Writable | undefined;
  /** End when the process has ended and all is read. A reader that pauses holds the process back. */
  readonly stdout: Readable | undefined;
  readonly stderr: Readable | undefined;
  /** Fails `precondition` without a terminal. */
  resize(size: TerminalSize): Promise<void>;
  /** The process's exit code, once all output is in the streams; `undefined` when nobody knows it. Never rejects. */
  readonly exit: Promise<number | undefined>;
  /** Lets go. A process that was started for this session is killed when it still runs; a container is left alone. Idempotent. */
  close(): Promise<void>;
}

/** A process to run with a client's streams. */
export interface ExecSessionSpec {
  /** OCI process object (runtime spec, `process`). */
  readonly process: unknown;
  readonly streams: StreamChoice;
}

/**
 * One container's shim. Calls carry a deadline of their own, so a frozen shim costs its caller a bounded time and
 * nobody else anything.
 */
export interface Task {
  readonly handle: TaskHandle;
  start(signal?: AbortSignal): Promise<{ readonly pid: number }>;
  state(signal?: AbortSignal): Promise<TaskState>;
  /** Resolves when the main process is gone and its log is flushed; also when the shim vanished (exit 255, reason unknown → undefined). */
  wait(signal?: AbortSignal): Promise<TaskExit | undefined>;
  /** A vanished process is success. */
  kill(signalNumber: number, options: { readonly all: boolean }, signal?: AbortSignal): Promise<void>;
  execSync(spec: ExecSpec, signal?: AbortSignal): Promise<ExecOutcome>;
  /** Starts a process with streams of its own. The signal ends the starting, not the session. */
  exec(spec: ExecSessionSpec, signal?: AbortSignal): Promise<Session>;
  /** Joins the main process's streams from now on. The signal ends the joining, not the session. */
  attach(streams: AttachChoice, signal?: AbortSignal): Promise<Session>;
  /** Kills and forgets every exec, which is to be done before the first that is one's own. Nothing for foreign shims. */
  endExecs(signal?: AbortSignal): Promise<void>;
  stats(signal?: AbortSignal): Promise<CgroupStats>;
  /** OCI LinuxResources JSON object. */
  update(resources: unknown, signal?: AbortSignal): Promise<void>;
  /** Changes oom_score_adj of the main process and of its descendants; one that chose another than `from` keeps it. */
  changeOomScore(change: ScoreChange): void;
  pause(signal?: AbortSignal): Promise<void>;
  resume(signal?: AbortSignal): Promise<void>;
  /**
   * Has the OCI runtime write the processes to `images`, a directory; they run on, or stay paused. The dump goes on when the
   * signal aborts. Fails `precondition` with what the runtime and CRIU say.
   */
  checkpoint(images: string, signal?: AbortSignal): Promise<void>;
  reopenLog(signal?: AbortSignal): Promise<void>;
  /** Phases that the shim measured itself, in milliseconds by name. Empty for foreign shims. */
  startPhases(signal?: AbortSignal): Promise<Readonly<Record<string, number>>>;
  /** Deletes the task and ends the shim. Idempotent; falls back to the shim's `delete` command when it is gone. */
  remove(signal?: AbortSignal): Promise<void>;
}

export interface ShimLauncher {
  handlers(): readonly RuntimeHandler[];
  /** What to add to the annotations of a spec with this `linux.seccomp`, so that the handler's runtime starts it sooner. */
  specAnnotations(handler: string, seccomp: unknown): Readonly<Record<string, string>>;
  /** Spawns the shim and creates the task. Nothing is left when it fails. */
  launch(handler: string, spec: TaskSpec, signal?: AbortSignal): Promise<Task>;
  /** Connects to a task that an earlier berthd launched. `undefined` when its shim is gone (read exitRecord then). */
  attach(handle: TaskHandle, signal?: AbortSignal): Promise<Task | undefined>;
  /** The exit that a shim recorded on disk while nobody listened. */
  exitRecord(bundle: string): TaskExit | undefined;
  /** Cleans up after a shim that died: kills what it left, unmounts, removes the bundle's sockets. Idempotent. */
  bury(handle: TaskHandle, signal?: AbortSignal): Promise<void>;
}
