import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AgentClient } from '../../src/agent/agent-client.ts';
import { AgentSupervisor } from '../../src/agent/agent-supervisor.ts';
import type { Agent } from '../../src/agent/port.ts';

/** Where cargo leaves the native programs. */
export const nativeDirectory = process.env['BERTH_NATIVE_DIR'] ?? join(import.meta.dirname, '../../native/target/x86_64-unknown-linux-gnu/release');

const unified = '/sys/fs/cgroup/unified';

/** Why a program is needed and not there, or undefined. */
export function missing(...paths: readonly string[]): string | undefined {
  return paths.find((path) => !existsSync(path));
}

/**
 * The real agent in a mount namespace of its own, which the shims and runtimes that it starts share. There the unified
 * hierarchy of a hybrid host is away: runtimes of Debian 12 would use it together with the version 1 hierarchies.
 */
export class PrivateAgent {
  readonly agent: Agent;
  readonly #supervisor: AgentSupervisor;

  /** @param within makes its command one that runs it elsewhere, such as on an older kernel. */
  constructor(directory: string, within: (command: readonly [string, ...string[]]) => readonly string[] = (command) => command) {
    const path = join(directory, 'agent.sh');
    const run = `mountpoint -q ${unified} && mount -t tmpfs none ${unified}; exec ${within([join(nativeDirectory, 'berth-agent')]).join(' ')} "$@"`;
    writeFileSync(path, `#!/bin/sh\nexec unshare --mount sh -c '${run}' agent "$@"\n`);
    chmodSync(path, 0o755);
    const log = { info: quiet, warn: quiet, error: print };
    this.#supervisor = new AgentSupervisor({ log }, { path, root: directory });
    this.#supervisor.start();
    this.agent = new AgentClient({ supervisor: this.#supervisor }, { pausePath: join(nativeDirectory, 'berth-pause') });
  }

  close(): Promise<void> {
    return this.#supervisor.close();
  }
}

function quiet(): void {
  // Calls that a test wants to fail are warnings; what is unexpected fails the test.
}

function print(fields: object, message: string): void {
  console.warn(message, fields);
}
