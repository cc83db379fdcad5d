import type { Duplex, Readable, Writable } from 'node:stream';

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

/** A process in a container and the streams of one client that talks to it. */
export interface Session {
  /** Ending it closes the process's stdin: always for an exec, with `stdin_once` alone for an attachment. */
  readonly stdin: Writable | undefined;
  /** End when the process has ended and all is read. A reader that pauses holds the process back. */
  readonly stdout: Readable | undefined;
  readonly stderr: Readable | undefined;
  /** Fails `precondition` without a terminal. */
  resize(size: TerminalSize): Promise<void>;
  /** The process's exit code; `undefined` when nobody knows it. */
  readonly exit: Promise<number | undefined>;
  /** Lets go. A process that was started for this session is killed when it still runs; a container is left alone. Idempotent. */
  close(): Promise<void>;
}

/** A connection into a pod's network namespace; each side half-closes. */
export type PodConnection = Duplex;
