import type { Logger } from '../telemetry/log.ts';

/** What ends the parts that were started, last first. A part that fails to end does not keep the others running. */
export class Shutdown {
  readonly #log: Logger;
  readonly #steps: { readonly name: string; readonly end: () => Promise<void> | void }[] = [];
  #running: Promise<void> | undefined;

  constructor(log: Logger) {
    this.#log = log;
  }

  add(name: string, end: () => Promise<void> | void): void {
    this.#steps.push({ name, end });
  }

  async run(): Promise<void> {
    this.#running ??= this.#end();
    return this.#running;
  }

  async #end(): Promise<void> {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step.end();
      } catch (err) {
        this.#log.warn({ err, part: step.name }, 'a part did not end well');
      }
    }
  }
}
