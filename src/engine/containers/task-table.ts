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
  /** The deletion of the task, once it is under way. */
  removed: Promise<void> | undefined;
}

/** The tasks behind containers. */
export class TaskTable {
  readonly #tasks = new Map<ContainerId, LiveTask>();

  add(id: ContainerId, task: Task): LiveTask {
    const { promise: exited, resolve: markExited } = Promise.withResolvers<void>();
    const live: LiveTask = { task, exited, markExited, abandoned: new AbortController(), stopSignalSent: false, removed: undefined };
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
