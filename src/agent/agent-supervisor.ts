import { setTimeout as sleep } from 'node:timers/promises';
import { BerthError } from '../lib/errors.ts';
import { abortable } from '../lib/keyed-mutex.ts';
import type { TtrpcClient } from '../lib/ttrpc/client.ts';
import type { AgentLog } from './agent-log.ts';
import { AgentProcess } from './agent-process.ts';

/** How long a call waits for an agent that is being restarted. */
const waitForAgentMs = 2000;
const firstDelayMs = 20;
const longestDelayMs = 5000;
/** A process that lived this long did not fail because of its start, so the next one need not wait. */
const goodLifeMs = 10_000;

export interface AgentSupervisorInit {
  /** Absolute path of berth-agent. */
  readonly path: string;
  /** The state root, on whose filesystem the agent's Info is about. */
  readonly root: string;
}

/**
 * Keeps one berth-agent running.
 *
 *     start ─▶ running ──(process or socket ends)──▶ waiting ──(delay over)──▶ running …
 *                 │                                     │
 *                 └──────────────── close ──────────────┴──▶ closed
 */
export class AgentSupervisor {
  readonly #log: AgentLog;
  readonly #init: AgentSupervisorInit;
  readonly #stop = new AbortController();
  #current: AgentProcess | undefined;
  #ready = Promise.withResolvers<AgentProcess>();
  #loop: Promise<void> = Promise.resolve();
  #restarts = 0;
  #lastEnd = 'it was not started';

  constructor(components: { readonly log: AgentLog }, init: AgentSupervisorInit) {
    this.#log = components.log;
    this.#init = init;
  }

  /** Starts the agent and goes on doing so until `close`. */
  start(): void {
    this.#loop = this.#run();
  }

  /** Restarts since `start`. */
  get restarts(): number {
    return this.#restarts;
  }

  /** The agent's pid, undefined while there is none. */
  get pid(): number | undefined {
    return this.#current?.pid;
  }

  get healthy(): boolean {
    return this.#current !== undefined && !this.#current.client.closed;
  }

  /**
   * The connection to the running agent. Waits up to two seconds while it is being restarted.
   * @throws BerthError `unavailable` after that.
   */
  async client(signal?: AbortSignal): Promise<TtrpcClient> {
    if (this.#current?.client.closed === false) return this.#current.client;
    this.#retire(this.#current);
    if (this.#stop.signal.aborted) throw new BerthError('unavailable', 'berth-agent is stopped');
    const patience = AbortSignal.timeout(waitForAgentMs);
    try {
      return (await abortable(this.#ready.promise, signal === undefined ? patience : AbortSignal.any([signal, patience]))).client;
    } catch (error) {
      if (!patience.aborted) throw error;
      throw new BerthError('unavailable', `berth-agent does not run: ${this.#lastEnd}`, { hint: `see the log of berthd and try ${this.#init.path} --version` });
    }
  }

  /** Ends the agent and waits for it. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#current?.client.close();
    await this.#loop;
  }

  async #run(): Promise<void> {
    let delayMs = 0;
    while (!this.#stop.signal.aborted) {
      const startedMs = performance.now();
      const agent = this.#launch();
      this.#lastEnd = await agent.exited;
      if (this.#stop.signal.aborted) return;
      delayMs = performance.now() - startedMs > goodLifeMs ? 0 : Math.min(longestDelayMs, Math.max(firstDelayMs, delayMs * 2));
      this.#log.error({ reason: this.#lastEnd, delayMs }, 'berth-agent ended; restarting it');
      await sleep(delayMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
      this.#restarts += 1;
    }
  }

  #launch(): AgentProcess {
    const agent = new AgentProcess(this.#init, this.#log);
    // Without a pid the start failed already, which `exited` is about to tell.
    if (agent.pid !== undefined) {
      this.#current = agent;
      this.#ready.resolve(agent);
      // Before the process is reaped, so that no call is handed a dead connection.
      void agent.client.ended.then(() => {
        this.#retire(agent);
      });
      this.#log.info({ pid: agent.pid }, 'berth-agent started');
    }
    return agent;
  }

  #retire(agent: AgentProcess | undefined): void {
    if (agent === undefined || this.#current !== agent) return;
    this.#current = undefined;
    this.#ready = Promise.withResolvers();
  }
}
