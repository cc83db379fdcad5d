import { setTimeout as sleep } from 'node:timers/promises';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CriSuite } from '../cri/suite.ts';
import type { TomlTable } from '../fixtures/toml.ts';
import { buildPlugin, PluginProcess } from './plugin-process.ts';

/** A berthd and the plugins that a test connects to it. */
export class NriSuite {
  readonly cri: CriSuite;
  readonly #plugins: PluginProcess[] = [];
  #gates = 0;

  private constructor(cri: CriSuite) {
    this.cri = cri;
  }

  static async start(config: TomlTable = {}): Promise<NriSuite> {
    buildPlugin();
    return new NriSuite(await CriSuite.start(config));
  }

  get socket(): string {
    return join(this.cri.node.scratch.dir, 'run/nri.sock');
  }

  /** A plugin that takes part from now on. */
  async plugin(...flags: readonly string[]): Promise<PluginProcess> {
    const plugin = await PluginProcess.join(this.socket, ...flags);
    this.#plugins.push(plugin);
    return plugin;
  }

  /** A plugin that has only been started. */
  starting(...flags: readonly string[]): PluginProcess {
    const plugin = PluginProcess.start(this.socket, ...flags);
    this.#plugins.push(plugin);
    return plugin;
  }

  /** A file that is not there until open() is called, for the plugin's -hold. */
  gate(): { readonly path: string; readonly open: () => void } {
    this.#gates += 1;
    const path = join(this.cri.node.scratch.dir, `gate${this.#gates}`);
    return {
      path,
      open: () => {
        writeFileSync(path, '');
      },
    };
  }

  /** Ends the plugins and takes all pods away. */
  async reset(): Promise<void> {
    await Promise.all(this.#plugins.splice(0).map((plugin) => plugin.close()));
    await this.cri.node.removePods();
  }

  async close(): Promise<void> {
    await this.reset();
    await this.cri.close();
  }
}

/** Checks again and again for a while that something stays as it is. */
export async function stays(check: () => void, forMs = 500): Promise<void> {
  for (const end = Date.now() + forMs; Date.now() < end; await sleep(25)) check();
}
