import type { Agent, ExecResult } from '../../agent/port.ts';
import type { RuntimeHandler, ShimLauncher } from '../../shim/port.ts';
import type { Log } from '../../lib/log.ts';
import type { HandlerFeatures, RuntimeVersion } from '../port.ts';
import type { EngineConfig } from '../config.ts';
import { snapshotterName } from '../spec/snapshotter-for.ts';
import { parseFeatures } from './parse-features.ts';
import { runtimeVersion } from './runtime-advisories.ts';

const none: HandlerFeatures = { recursiveReadOnlyMounts: false, userNamespaces: false, checkpoints: false };
const featuresMs = 5000;

interface Answer {
  readonly features: HandlerFeatures;
  readonly version: RuntimeVersion;
}

const unknown: Answer = { features: none, version: runtimeVersion('') };

/** What each runtime handler can do and which version it is, asked once of its OCI runtime. */
export class FeatureTable {
  readonly #features = new Map<string, HandlerFeatures>();
  readonly #versions = new Map<string, RuntimeVersion>();

  of(handler: string): HandlerFeatures {
    return this.#features.get(handler) ?? none;
  }

  versionOf(handler: string): RuntimeVersion {
    return this.#versions.get(handler) ?? unknown.version;
  }

  /** A runtime that has no `features` command, or does not answer, can do nothing special. */
  async load(parts: { readonly agent: Agent; readonly shims: ShimLauncher; readonly log: Log; readonly config: Pick<EngineConfig, 'snapshotters'> }, signal: AbortSignal): Promise<void> {
    const tables = parts.shims.handlers().map(async (handler) => {
      const { features, version } = await ask(parts, handler, signal);
      this.#versions.set(handler.name, version);
      if (version.advisories.length > 0) parts.log.warn({ handler: handler.name, ...version }, 'this version of the OCI runtime has known vulnerabilities, unless its distribution has mended it under the same number');
      // A copy has the image's owners; only layers are shown with those of a user namespace.
      const isLayered = snapshotterName(parts.config, handler.name) === 'overlay';
      this.#features.set(handler.name, { ...features, userNamespaces: features.userNamespaces && isLayered });
    });
    await Promise.all(tables);
  }
}

async function ask({ agent, log }: { readonly agent: Agent; readonly log: Log }, { name, runtime }: RuntimeHandler, signal: AbortSignal): Promise<Answer> {
  if (runtime === '') return unknown;
  try {
    const run = (argument: string): Promise<ExecResult> => agent.exec({ argv: [runtime, argument], env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }, timeoutMs: featuresMs }, signal);
    const [{ stdout, exitCode }, printed] = await Promise.all([run('features'), run('--version').then((told) => Buffer.from(told.stdout).toString())]);
    const version = runtimeVersion(printed);
    // crun before 1.9 has no such command, but tells what it is built with.
    if (exitCode !== 0) return { features: { ...none, checkpoints: printed.includes('+CRIU') }, version };
    const features = parseFeatures(stdout);
    // The runtime maps volumes; the root file system is for the shim to map, which takes more of the kernel.
    return { features: { ...features, userNamespaces: features.userNamespaces && (await agent.info(signal)).idmappedMounts }, version };
  } catch (error) {
    log.warn({ handler: name, runtime, err: error }, 'an OCI runtime does not tell its features');
    return unknown;
  }
}
