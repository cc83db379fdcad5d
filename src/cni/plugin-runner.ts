import { asBerthError, BerthError } from '../lib/errors.ts';
import type { JsonObject } from '../lib/json-fields.ts';
import type { Agent, ExecResult } from '../agent/port.ts';
import { findPlugin } from './find-plugin.ts';
import { PluginFailure } from './plugin-failure.ts';

/** A plugin that takes longer is stuck: pods start in seconds or not at all. */
const timeoutMs = 60_000;
/** It asks no daemon, and the pods of a network wait for it. */
const versionMs = 10_000;

export type CniCommand = 'ADD' | 'DEL' | 'CHECK' | 'STATUS' | 'VERSION';

/** Hears how long each run of a plugin took. */
export interface PluginObserver {
  pluginEnded(type: string, command: CniCommand, seconds: number, ok: boolean): void;
}

export interface PluginCall {
  readonly command: CniCommand;
  readonly type: string;
  /** For messages. */
  readonly network: string;
  /** What the plugin reads from its standard input. */
  readonly input: JsonObject;
  /** CNI_CONTAINERID and such, where the command has them. */
  readonly variables: Readonly<Record<string, string>>;
}

export interface RunnerInit {
  /** Directories that plugins are looked for in, and find each other in. */
  readonly binDirs: readonly string[];
  /** What plugins inherit. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Runs CNI plugins through the agent. */
export class PluginRunner {
  readonly #agent: Pick<Agent, 'exec'>;
  readonly #observer: PluginObserver;
  readonly #init: RunnerInit;

  constructor(components: { readonly agent: Pick<Agent, 'exec'>; readonly observer: PluginObserver }, init: RunnerInit) {
    this.#agent = components.agent;
    this.#observer = components.observer;
    this.#init = init;
  }

  /** The plugin's program. @throws BerthError `precondition` when there is none. */
  locate(type: string): string {
    return findPlugin(type, this.#init.binDirs);
  }

  /**
   * What the plugin printed.
   * @throws PluginFailure when it says that it failed; BerthError `timeout` after a minute, or ten seconds of VERSION; the signal's reason once a plugin is
   * gone that was killed for it.
   */
  async run(call: PluginCall, signal?: AbortSignal): Promise<string> {
    const startedMs = performance.now();
    let ok = false;
    try {
      const result = await this.#exec(call, signal);
      if (result.exitCode !== 0) throw new PluginFailure(subject(call), result);
      ok = true;
      return Buffer.from(result.stdout).toString();
    } finally {
      this.#observer.pluginEnded(call.type, call.command, (performance.now() - startedMs) / 1000, ok);
    }
  }

  async #exec(call: PluginCall, signal: AbortSignal | undefined): Promise<ExecResult> {
    const argv = [this.locate(call.type)] as const;
    const limitMs = call.command === 'VERSION' ? versionMs : timeoutMs;
    const env = { ...this.#init.environment, CNI_COMMAND: call.command, CNI_PATH: this.#init.binDirs.join(':'), ...call.variables };
    try {
      return await this.#agent.exec({ argv, env, stdin: Buffer.from(JSON.stringify(call.input)), timeoutMs: limitMs }, signal);
    } catch (error) {
      signal?.throwIfAborted();
      const { kind, message, hint } = asBerthError(error, 'running it');
      throw new BerthError(kind, `${subject(call)}: ${message}`, { cause: error, ...(hint !== undefined && { hint }) });
    }
  }
}

function subject({ type, command, network }: PluginCall): string {
  return `CNI plugin "${type}" failed ${command} for network "${network}"`;
}
