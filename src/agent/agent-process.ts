import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import { TtrpcClient } from '../lib/ttrpc/client.ts';
import { type AgentLog, logAgentLine } from './agent-log.ts';

/** How long a process may take to end after its connection did. */
const exitGraceMs = 2000;

/** One run of berth-agent, which closing `client` ends. This is the only place of the daemon that starts a process. */
export class AgentProcess {
  readonly client: TtrpcClient;
  readonly #child: ChildProcess;
  readonly #exited = Promise.withResolvers<string>();

  constructor(init: { readonly path: string; readonly root: string }, log: AgentLog) {
    // In a session of its own, so that what a terminal sends to berthd's does not end it first.
    const { PATH, BERTH_SOFT_NOFILE } = process.env;
    const child = spawn(init.path, ['--fd', '3', '--root', init.root], { detached: true, stdio: ['ignore', 'ignore', 'pipe', 'pipe'], env: { PATH, BERTH_SOFT_NOFILE } });
    this.#child = child;
    this.client = new TtrpcClient(child.stdio[3] as Duplex, 'berth-agent');
    if (child.stderr !== null) {
      createInterface({ input: child.stderr }).on('line', (line) => {
        logAgentLine(log, line);
      });
    }
    child.once('error', (error) => {
      this.#exited.resolve(error.message);
    });
    child.once('exit', (code, signal) => {
      this.#exited.resolve(signal === null ? `exit code ${code}` : `signal ${signal}`);
    });
    // A connection that broke without the process is as good as a death.
    void this.client.ended.then(() => this.#endWithin(exitGraceMs));
    void this.#exited.promise.then(() => {
      this.client.close();
    });
  }

  /** Undefined when it could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Why it ended; resolves when it did. */
  get exited(): Promise<string> {
    return this.#exited.promise;
  }

  async #endWithin(graceMs: number): Promise<void> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), graceMs);
    await this.#exited.promise;
    clearTimeout(timer);
  }
}
