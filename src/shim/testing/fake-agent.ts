import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Agent, ExecRequest, ExecResult } from '../../agent/port.ts';

/** Stands for the commands of a shim, `start` and `delete`, that an agent would run, and makes FIFOs. */
export interface FakeAgent {
  readonly agent: Agent;
  readonly execs: readonly ExecRequest[];
  readonly unmounted: readonly string[];
}

export function fakeAgent(exec: (request: ExecRequest) => { readonly stdout?: string; readonly stderr?: string; readonly exitCode?: number }): FakeAgent {
  const execs: ExecRequest[] = [];
  const unmounted: string[] = [];
  const agent = {
    exec: async (request: ExecRequest): Promise<ExecResult> => {
      execs.push(request);
      const { stdout = '', stderr = '', exitCode = 0 } = exec(request);
      return { stdout: Buffer.from(stdout), stderr: Buffer.from(stderr), exitCode };
    },
    unmount: async (target: string): Promise<void> => {
      unmounted.push(target);
    },
    makeFifos: async (directory: string, names: readonly string[]): Promise<void> => {
      mkdirSync(directory);
      if (names.length > 0) execFileSync('mkfifo', names.map((name) => join(directory, name)));
    },
  };
  return { agent: agent as unknown as Agent, execs, unmounted };
}
