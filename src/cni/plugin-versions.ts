import { statSync } from 'node:fs';
import { BerthError } from '../lib/errors.ts';
import { asObject, stringsField } from '../lib/json-fields.ts';
import type { ConfigList } from './config-list.ts';
import { isLoopback } from './has-work.ts';
import { PluginFailure } from './plugin-failure.ts';
import type { PluginRunner } from './plugin-runner.ts';
import { spokenVersions, type CniVersion } from './versions.ts';

interface Answer {
  /** Changes when the program is replaced. */
  readonly stamp: string;
  readonly versions: Promise<readonly string[]>;
}

/** Asks plugins which versions of the specification they speak, once for each program. */
export class PluginVersions {
  readonly #runner: PluginRunner;
  readonly #answers = new Map<string, Answer>();

  constructor(runner: PluginRunner) {
    this.#runner = runner;
  }

  /**
   * The newest version that the config allows and all its plugins speak.
   * @throws BerthError `precondition` that names the plugin which is in the way.
   */
  async negotiate({ name, versions, plugins }: ConfigList): Promise<CniVersion> {
    const types = plugins.filter((plugin) => !isLoopback(plugin)).map(({ type }) => type);
    const spoken = await Promise.all(types.map(async (type) => ({ type, versions: await this.#spokenBy(type, name) })));
    const common = versions.find((version) => spoken.every((plugin) => plugin.versions.includes(version)));
    if (common !== undefined) return common;
    const culprit = spoken.find((plugin) => !versions.some((version) => plugin.versions.includes(version)));
    const who = culprit === undefined ? 'its plugins have none of these in common' : `the plugin "${culprit.type}" speaks ${culprit.versions.join(', ')}`;
    throw new BerthError('precondition', `network "${name}" wants CNI ${versions.join(' or ')}, but ${who}`, {
      hint: 'install newer plugins, or write a cniVersion into the config that they speak',
    });
  }

  async #spokenBy(type: string, network: string): Promise<readonly string[]> {
    const path = this.#runner.locate(type);
    const { ino, size, mtimeMs } = statSync(path);
    const stamp = `${ino} ${size} ${mtimeMs}`;
    const known = this.#answers.get(path);
    if (known?.stamp === stamp) return known.versions;
    const answer = { stamp, versions: this.#ask(type, network) };
    this.#answers.set(path, answer);
    try {
      return await answer.versions;
    } catch (error) {
      if (this.#answers.get(path) === answer) this.#answers.delete(path);
      throw error;
    }
  }

  async #ask(type: string, network: string): Promise<readonly string[]> {
    try {
      const input = { cniVersion: spokenVersions.at(-1) };
      const text = await this.#runner.run({ command: 'VERSION', type, network, input, variables: {} });
      return stringsField(asObject(JSON.parse(text), 'the answer'), 'supportedVersions', 'the answer');
    } catch (error) {
      if (isOlderThanVersion(error)) return ['0.1.0'];
      if (error instanceof SyntaxError) throw new BerthError('precondition', `the CNI plugin "${type}" answers VERSION with something that is not JSON`, { cause: error });
      throw error;
    }
  }
}

/** The command came with 0.2.0. */
function isOlderThanVersion(error: unknown): boolean {
  return error instanceof PluginFailure && error.detail.includes('unknown CNI_COMMAND');
}
