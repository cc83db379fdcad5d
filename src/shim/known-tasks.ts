import type { TaskHandle } from './port.ts';

/** Which containers each shim keeps: one of somebody else's may keep several. */
export class KnownTasks {
  readonly #byAddress = new Map<string, Set<string>>();

  add({ address, id }: TaskHandle): void {
    const ids = this.#byAddress.get(address) ?? new Set();
    this.#byAddress.set(address, ids.add(id));
  }

  delete({ address, id }: TaskHandle): void {
    const ids = this.#byAddress.get(address);
    ids?.delete(id);
    if (ids?.size === 0) this.#byAddress.delete(address);
  }

  /** Whether this task's shim keeps others, too. */
  isShared({ address, id }: TaskHandle): boolean {
    return [...(this.#byAddress.get(address) ?? [])].some((other) => other !== id);
  }
}
