import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { whyNotBuildable } from '../peers/build.ts';

/** Why there can be no plugin here, or undefined when there can. */
export const noPlugin = whyNotBuildable();

const program = join(import.meta.dirname, '../../build/nri/recorder');

/** Builds the plugin; the Go toolchain knows by itself when there is nothing to do. */
export function buildPlugin(): void {
  mkdirSync(join(program, '..'), { recursive: true });
  execFileSync('go', ['build', '-mod=readonly', '-trimpath', '-o', program, './plugin'], { cwd: import.meta.dirname, env: { ...process.env, CGO_ENABLED: '0' } });
}

/** An object of an event, in protobuf's JSON. */
export interface Told {
  readonly id: string;
  readonly name: string;
  readonly [field: string]: unknown;
}

export interface PluginEvent {
  readonly event: string;
  readonly pod?: Told;
  readonly container?: Told;
  readonly [field: string]: unknown;
}

/** A real plugin in a process of its own; see plugin/main.go for its flags. */
export class PluginProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  readonly events: PluginEvent[] = [];

  private constructor(socket: string, flags: readonly string[]) {
    this.#child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', program, `-socket=${socket}`, ...flags], { stdio: ['pipe', 'pipe', 'ignore'] });
    this.#exited = new Promise((resolve) => {
      this.#child.once('exit', () => {
        resolve();
      });
    });
    if (this.#child.stdout !== null) createInterface(this.#child.stdout).on('line', (line) => this.events.push(JSON.parse(line) as PluginEvent));
  }

  /** Connects and waits until it has heard of what exists. */
  static async join(socket: string, ...flags: readonly string[]): Promise<PluginProcess> {
    const plugin = PluginProcess.start(socket, ...flags);
    try {
      await plugin.heard('Synchronize');
      return plugin;
    } catch (error) {
      await plugin.close();
      throw error;
    }
  }

  /** Connects and waits for nothing. */
  static start(socket: string, ...flags: readonly string[]): PluginProcess {
    return new PluginProcess(socket, flags);
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Names of the events about one object, in order. */
  about(id: string): readonly string[] {
    return this.events.filter(({ pod, container }) => (container ?? pod)?.id === id).map(({ event }) => event);
  }

  count(event: string, id?: string): number {
    return this.events.filter((one) => one.event === event && (id === undefined || (one.container ?? one.pod)?.id === id)).length;
  }

  /** Waits for the first event of this name, about `id` if that is given. */
  async heard(event: string, id?: string, timeoutMs = 10_000): Promise<PluginEvent> {
    for (const deadline = Date.now() + timeoutMs; ; await sleep(5)) {
      const found = this.events.find((one) => one.event === event && (id === undefined || (one.container ?? one.pod)?.id === id));
      if (found !== undefined) return found;
      if (Date.now() > deadline) throw new Error(`the plugin heard no ${event}, only ${this.events.map((one) => one.event).join(', ')}`);
    }
  }

  /** Has it ask for new resources of a container that it knows by name. */
  async update(container: string, resources: object): Promise<PluginEvent> {
    const before = this.count('Updated');
    this.#child.stdin?.write(`${JSON.stringify({ container, resources })}\n`);
    for (const deadline = Date.now() + 10_000; this.count('Updated') === before; await sleep(5)) {
      if (Date.now() > deadline) throw new Error('the plugin was not answered');
    }
    return this.events.findLast(({ event }) => event === 'Updated') ?? { event: 'none' };
  }

  /** SIGKILL, and waits for the end. */
  async close(): Promise<void> {
    if (this.running) this.#child.kill('SIGKILL');
    await this.#exited;
  }
}
