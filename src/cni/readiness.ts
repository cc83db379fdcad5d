import { asBerthError } from '../lib/errors.ts';
import type { ConfigList } from './config-list.ts';
import { isLoopback } from './has-work.ts';
import type { PluginRunner } from './plugin-runner.ts';
import type { PluginVersions } from './plugin-versions.ts';
import { isAtLeast } from './versions.ts';

/** How old an answer may be; a bad one is looked into again sooner. */
const goodForMs = 10_000;
const badForMs = 2000;

interface Finding {
  readonly list: ConfigList;
  readonly problem: string;
  readonly atMs: number;
}

/**
 * Whether the plugins of a network can do their work: they are there, speak the version, and do not answer STATUS with a
 * problem. The answer is at hand at once; what is too old is looked into beside it. A network is good until shown otherwise.
 */
export class Readiness {
  readonly #runner: PluginRunner;
  readonly #versions: PluginVersions;
  #finding: Finding | undefined;
  #running: ConfigList | undefined;

  constructor(components: { readonly runner: PluginRunner; readonly versions: PluginVersions }) {
    this.#runner = components.runner;
    this.#versions = components.versions;
  }

  /** What is wrong with the network, or ''. */
  problem(list: ConfigList): string {
    const finding = this.#finding?.list === list ? this.#finding : undefined;
    const ageMs = performance.now() - (finding?.atMs ?? 0);
    const fresh = finding !== undefined && ageMs < (finding.problem === '' ? goodForMs : badForMs);
    if (!fresh && this.#running !== list) void this.#refresh(list);
    return finding?.problem ?? '';
  }

  async #refresh(list: ConfigList): Promise<void> {
    this.#running = list;
    const problem = await this.#look(list);
    // Another list may have been loaded meanwhile.
    if (this.#running !== list) return;
    this.#running = undefined;
    this.#finding = { list, problem, atMs: performance.now() };
  }

  async #look(list: ConfigList): Promise<string> {
    try {
      for (const { ipamType } of list.plugins) if (ipamType !== undefined) this.#runner.locate(ipamType);
      const version = await this.#versions.negotiate(list);
      if (isAtLeast(version, '1.1.0')) await this.#askStatus(list, version);
      return '';
    } catch (error) {
      return asBerthError(error, `checking network "${list.name}"`).text;
    }
  }

  async #askStatus(list: ConfigList, cniVersion: string): Promise<void> {
    for (const plugin of list.plugins.filter((candidate) => !isLoopback(candidate))) {
      const input = { ...plugin.json, name: list.name, cniVersion };
      await this.#runner.run({ command: 'STATUS', type: plugin.type, network: list.name, input, variables: {} });
    }
  }
}
