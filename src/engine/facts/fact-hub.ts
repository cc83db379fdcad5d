import { messageOf } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { Fact } from '../model/fact.ts';
import type { Owner } from '../model/owner.ts';

export type FactListener = (fact: Fact) => void;

/**
 * Hands every fact to every listener, at once and in order. Listeners make of it what their clients want to hear, and wait
 * for nobody; one that throws is in the log, and in nobody's way.
 */
export class FactHub {
  readonly #log: Pick<Log, 'error'>;
  readonly #listeners = new Set<FactListener>();

  constructor(log: Pick<Log, 'error'>) {
    this.#log = log;
  }

  tell(fact: Fact): void {
    for (const listener of this.#listeners) {
      try {
        listener(fact);
      } catch (error) {
        this.#log.error({ fact: `${fact.kind} ${fact.action}`, id: fact.id, reason: messageOf(error) }, 'a listener failed to take note of a fact');
      }
    }
  }

  /** @param owner whose facts are told; undefined: everyone's. */
  listen(listener: FactListener, owner: Owner | undefined): void {
    this.#listeners.add((fact) => {
      if (owner === undefined || fact.owner === owner) listener(fact);
    });
  }
}
