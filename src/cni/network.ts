import { statfsSync } from 'node:fs';
import { BerthError } from '../lib/errors.ts';
import { abortable, KeyedMutex } from '../lib/keyed-mutex.ts';
import type { Log } from '../lib/log.ts';
import type { Agent } from '../agent/port.ts';
import { addChain } from './add-chain.ts';
import { addressesOf } from './addresses.ts';
import { checkChain } from './check-chain.ts';
import { formatCniArgs, usableArgs } from './cni-args.ts';
import { parseConfigList, type ConfigList } from './config-list.ts';
import { ConfWatcher } from './conf-watcher.ts';
import { delChain } from './del-chain.ts';
import { type Chain, interfaceName, parseResult } from './invoke-plugin.ts';
import { pluginEnvironment } from './plugin-environment.ts';
import { PluginRunner, type PluginObserver } from './plugin-runner.ts';
import { PluginVersions } from './plugin-versions.ts';
import type { CniAttachment, CniResult, Network, NetworkStatus } from './port.ts';
import { Readiness } from './readiness.ts';
import { asCniVersion, type CniVersion } from './versions.ts';

export interface NetworkComponents {
  readonly agent: Pick<Agent, 'exec'>;
  readonly log: Pick<Log, 'info' | 'warn'>;
  readonly observer: PluginObserver;
}

export interface NetworkConfig {
  readonly confDir: string;
  /** Where plugins are, the first that has one wins. */
  readonly binDirs: readonly string[];
  /** The daemon's own environment; plugins inherit most of it. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Reads the config directory and watches it until close(). */
export function createNetwork({ agent, log, observer }: NetworkComponents, { confDir, binDirs, environment }: NetworkConfig): Network {
  const runner = new PluginRunner({ agent, observer }, { binDirs, environment: pluginEnvironment(environment) });
  const versions = new PluginVersions(runner);
  return new CniNetwork({ runner, versions, readiness: new Readiness({ runner, versions }), conf: new ConfWatcher({ log }, { dir: confDir }) });
}

interface Parts {
  readonly runner: PluginRunner;
  readonly versions: PluginVersions;
  readonly readiness: Readiness;
  readonly conf: ConfWatcher;
}

/** An attachment whose plugins were run: by which config and, when all have ended, with what. */
interface Begun {
  readonly list: ConfigList;
  readonly version: CniVersion;
  readonly result: string | undefined;
}

class CniNetwork implements Network {
  readonly #parts: Parts;
  /** Plugins of one pod never run at the same time: an ADD that nobody awaits any more ends or is killed, and is undone after it. */
  readonly #turns = new KeyedMutex<string>();
  /** By pod; `untouched` where no plugin was run yet, so that there is nothing to undo. */
  readonly #begun = new Map<string, Begun | 'untouched'>();

  constructor(parts: Parts) {
    this.#parts = parts;
    // The first pod shall not wait for what can be asked now.
    this.status();
  }

  status(): NetworkStatus {
    const { list, path, reason } = this.#parts.conf.current();
    const problem = list === undefined ? reason : this.#parts.readiness.problem(list);
    return { ready: problem === '', reason: problem, configPath: path, configJson: list?.text };
  }

  async attach(attachment: CniAttachment, signal?: AbortSignal): Promise<CniResult> {
    signal?.throwIfAborted();
    this.#begun.set(attachment.id, 'untouched');
    const { list, reason } = this.#parts.conf.current();
    if (list === undefined) throw new BerthError('unavailable', reason);
    const args = formatCniArgs(attachment.args);
    return abortable(this.#turns.run(attachment.id, () => this.#add({ list, attachment, args }, signal), signal), signal);
  }

  async detach(attachment: CniAttachment, result: CniResult | undefined, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await abortable(this.#turns.run(attachment.id, () => this.#delete(attachment, result, signal), signal), signal);
  }

  async check(attachment: CniAttachment, result: CniResult, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const chain = this.#chain(attachment, begunOf(result), signal);
    await abortable(this.#turns.run(attachment.id, () => checkChain(chain, result.raw), signal), signal);
  }

  close(): void {
    this.#parts.conf.close();
  }

  async #add(request: Pick<Chain, 'list' | 'attachment' | 'args'>, signal: AbortSignal | undefined): Promise<CniResult> {
    const { list, attachment } = request;
    const version = await abortable(this.#parts.versions.negotiate(list), signal);
    this.#begun.set(attachment.id, { list, version, result: undefined });
    const raw = await addChain({ ...request, version, runner: this.#parts.runner, signal });
    this.#begun.set(attachment.id, { list, version, result: raw });
    const what = `the result of network "${list.name}"`;
    const ips = addressesOf(parseResult(raw, what), interfaceName, what);
    return { network: list.name, cniVersion: version, config: list.text, ips, interfaceName, raw };
  }

  async #delete(attachment: CniAttachment, result: CniResult | undefined, signal: AbortSignal | undefined): Promise<void> {
    const begun = result === undefined ? await this.#guess(attachment.id, signal) : begunOf(result);
    if (begun !== 'untouched') {
      const netnsPath = isNamespace(attachment.netnsPath) ? attachment.netnsPath : '';
      await delChain(this.#chain({ ...attachment, netnsPath }, begun, signal), begun.result);
    }
    this.#begun.delete(attachment.id);
  }

  /** How an attachment was made whose result nobody has. */
  async #guess(id: string, signal: AbortSignal | undefined): Promise<Begun | 'untouched'> {
    const begun = this.#begun.get(id);
    if (begun !== undefined) return begun;
    const { list, reason } = this.#parts.conf.current();
    if (list !== undefined) return { list, version: await abortable(this.#parts.versions.negotiate(list), signal), result: undefined };
    // Plugins may hold an address for it, and only a config says which.
    throw new BerthError('unavailable', `cannot let go of the network of pod ${id}, whose attachment was cut off: ${reason}`, { hint: 'try again when there is a network configuration' });
  }

  #chain(attachment: CniAttachment, { list, version }: Begun, signal: AbortSignal | undefined): Chain {
    return { signal, runner: this.#parts.runner, list, version, attachment, args: formatCniArgs(usableArgs(attachment.args)) };
  }
}

/** The config that a result was made with, whatever the directory says by now. */
function begunOf({ network, config, cniVersion, raw }: CniResult): Begun {
  return { list: parseConfigList(config, `the stored config of network "${network}"`), version: asCniVersion(cniVersion), result: raw };
}

const nsfsMagic = 0x6e_73_66_73;

/** False for a pin that was unmounted: plugins would take the empty file for a broken namespace and fail. */
function isNamespace(path: string): boolean {
  if (path === '') return false;
  try {
    return statfsSync(path).type === nsfsMagic;
  } catch {
    return false;
  }
}
