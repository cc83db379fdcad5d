import type { Agent, ExecResult } from '../../native/port.ts';
import type { RuntimeHandler, ShimLauncher } from '../../shim/port.ts';
import type { Log } from '../../lib/log.ts';
import type { HandlerFeatures } from '../port.ts';
import type { EngineConfig } from '../config.ts';
import { snapshotterName } from './snapshotter-for.ts';
import { parseFeatures } from './parse-features.ts';

const none: HandlerFeatures = { recursiveReadOnlyMounts: false, userNamespaces: false, checkpoints: false };
const featuresMs = 5000;

/** What each runtime handler can do, asked once of its OCI runtime. */
export class FeatureTable {
  readonly #features = new Map<string, HandlerFeatures>();

  of(handler: string): HandlerFeatures {
    return this.#features.get(handler) ?? none;
  }

  /** A runtime that has no `features` command, or does not answer, can do nothing special. */
  async load(parts: { readonly agent: Agent; readonly shims: ShimLauncher; readonly log: Log; readonly config: Pick<EngineConfig, 'snapshotters'> }, signal: AbortSignal): Promise<void> {
    const tables = parts.shims.handlers().map(async (handler) => {
      const features = await ask(parts, handler, signal);
      // A copy has the image's owners; only layers are shown with those of a user namespace.
      const isLayered = snapshotterName(parts.config, handler.name) === 'overlay';
      this.#features.set(handler.name, { ...features, userNamespaces: features.userNamespaces && isLayered });
    });
    await Promise.all(tables);
  }
}

async function ask({ agent, log }: { readonly agent: Agent; readonly log: Log }, { name, runtime }: RuntimeHandler, signal: AbortSignal): Promise<HandlerFeatures> {
  if (runtime === '') return none;
  try {
    const run = (argument: string): Promise<ExecResult> => agent.exec({ argv: [runtime, argument], env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }, timeoutMs: featuresMs }, signal);
    const { stdout, exitCode } = await run('features');
    // crun before 1.9 has no such command, but tells what it is built with.
    if (exitCode !== 0) return { ...none, checkpoints: Buffer.from((await run('--version')).stdout).includes('+CRIU') };
    const features = parseFeatures(stdout);
    // The runtime maps volumes; the root file system is for the shim to map, which takes more of the kernel.
    return { ...features, userNamespaces: features.userNamespaces && (await agent.info(signal)).idmappedMounts };
  } catch (error) {
    log.warn({ handler: name, runtime, err: error }, 'an OCI runtime does not tell its features');
    return none;
  }
}
