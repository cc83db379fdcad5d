import { messageOf } from '../lib/errors.ts';
import type { Agent } from '../agent/port.ts';
import type { Background } from './background.ts';

const answerMs = 5000;

/** Whether the agent answers. Each look starts the next question, so a status costs no wait and is one look old. */
export class AgentHealth {
  readonly #agent: Pick<Agent, 'info'>;
  readonly #background: Background;
  #trouble = '';
  #asking = false;

  constructor(agent: Pick<Agent, 'info'>, background: Background) {
    this.#agent = agent;
    this.#background = background;
  }

  /** Why no container can start; empty when all is well. */
  get trouble(): string {
    if (!this.#asking) this.#background.run('asking the agent for its health', {}, (signal) => this.#ask(signal));
    return this.#trouble;
  }

  async #ask(closing: AbortSignal): Promise<void> {
    this.#asking = true;
    try {
      await this.#agent.info(AbortSignal.any([closing, AbortSignal.timeout(answerMs)]));
      this.#trouble = '';
    } catch (error) {
      this.#trouble = `berth-agent does not answer: ${messageOf(error)}`;
    } finally {
      this.#asking = false;
    }
  }
}
