/** What an undo step gets: a fresh signal, never the one of the request that failed. */
export type Undo = (signal: AbortSignal) => Promise<void>;

export interface UndoFailure {
  readonly name: string;
  readonly error: unknown;
}

/**
 * A stack of named undo steps. Register a step before the action it undoes; on failure run them in reverse under a
 * deadline of their own, since the request's may have passed already.
 */
export class Rollback {
  readonly #steps: { name: string; undo: Undo }[] = [];

  add(name: string, undo: Undo): void {
    this.#steps.push({ name, undo });
  }

  /** Forget the steps: what was made is now owned by a record. */
  commit(): void {
    this.#steps.length = 0;
  }

  /** Runs every step, last first, even when one fails; returns the failures. */
  async run(timeoutMs: number): Promise<readonly UndoFailure[]> {
    const failures: UndoFailure[] = [];
    const signal = AbortSignal.timeout(timeoutMs);
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step.undo(signal);
      } catch (error) {
        failures.push({ name: step.name, error });
      }
    }
    return failures;
  }
}
