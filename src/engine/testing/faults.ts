import { BerthError } from '../../lib/errors.ts';

/** `before`: the call fails and does nothing. `after`: it is done and its answer is lost. `crash`: nothing returns any more. */
export type FaultMode = 'before' | 'after' | 'crash';

type Method = (...args: readonly unknown[]) => unknown;

/** Counts calls to drivers and makes chosen ones fail. */
export class Faults {
  readonly calls: string[] = [];
  #at = new Set<number>();
  #mode: FaultMode = 'before';
  #crashed = false;

  /** Makes the nth calls from now on (1 is the next one) fail. */
  arm(calls: readonly number[], mode: FaultMode): void {
    this.calls.length = 0;
    this.#at = new Set(calls);
    this.#mode = mode;
  }

  disarm(): void {
    this.#at = new Set();
    this.calls.length = 0;
  }

  /** A driver whose named methods can fail. */
  wrap<Port extends object>(name: string, port: Port, methods: readonly (keyof Port & string)[]): Port {
    const wrapped: Port = new Proxy(port, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key, target);
        if (typeof value !== 'function') return value;
        const bound = (value as Method).bind(target);
        // A driver that gives itself away is still the one that can fail.
        const method: Method = (...args) => {
          const result = bound(...args);
          return result === target ? wrapped : result;
        };
        return (methods as readonly string[]).includes(String(key)) ? this.#failing(`${name}.${String(key)}`, method) : method;
      },
    });
    return wrapped;
  }

  #failing(name: string, method: Method): Method {
    return (...args) => {
      this.calls.push(name);
      const due = this.#at.has(this.calls.length);
      if (due && this.#mode === 'crash') this.#crashed = true;
      // As a process that is gone: it does nothing more and hears of nothing.
      if (this.#crashed) return new Promise(() => undefined);
      if (!due) return method(...args);
      return this.#mode === 'after' ? lost(name, method(...args)) : refused(name);
    };
  }
}

const failure = (name: string): BerthError => new BerthError('internal', `fault in ${name}`);

async function refused(name: string): Promise<never> {
  throw failure(name);
}

async function lost(name: string, result: unknown): Promise<never> {
  await result;
  throw failure(name);
}
