import { BerthError } from '../../lib/errors.ts';
import type { ContainerId } from '../../lib/ids.ts';
import type { Task } from '../../shim/port.ts';

/** A task that runs, or has ended and is not yet deleted. */
export interface LiveTask {
  readonly task: Task;
  /** Resolves when the exit is recorded. */
  readonly exited: Promise<void>;
  readonly markExited: () => void;
  /** Aborts when the task is given up: its shim is buried and will not tell of the exit. */
  readonly abandoned: AbortController;
  /** The stop signal is sent once in a container's life, however often it is stopped. */
  stopSignalSent: boolean;
  /** The SIGKILL, once it is under way. */
  killing: Promise<void> | undefined;
  /** Another one for each start of a neighbour that freezes it; resolves when it runs again. */
  thawed: Promise<void>;
  /** The deletion of the task, once it is under way. */
  removed: Promise<void> | undefined;
}

/** The tasks behind containers. */
export class TaskTable {
  readonly #tasks = new Map<ContainerId, LiveTask>();
  readonly #starts = new Map<ContainerId, AbortController>();

  /** A start is under way until `started`. The signal aborts when somebody wants the container's end instead. */
  starting(id: ContainerId): AbortSignal {
    const start = new AbortController();
    this.#starts.set(id, start);
    return start.signal;
  }

  started(id: ContainerId): void {
    this.#starts.delete(id);
  }

  /** Ends the start that is under way, if one is. */
  endStart(id: ContainerId): void {
    this.#starts.get(id)?.abort(new BerthError('canceled', `container ${id} was stopped while it started`));
  }

  add(id: ContainerId, task: Task): LiveTask {
    const { promise: exited, resolve: markExited } = Promise.withResolvers<void>();
    const live: LiveTask = { task, exited, markExited, abandoned: new AbortController(), stopSignalSent: false, killing: undefined, thawed: Promise.resolve(), removed: undefined };
    this.#tasks.set(id, live);
    return live;
  }

  get(id: ContainerId): LiveTask | undefined {
    return this.#tasks.get(id);
  }

  delete(id: ContainerId): void {
    this.#tasks.delete(id);
  }
}
