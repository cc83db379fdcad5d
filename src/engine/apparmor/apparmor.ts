import { readFileSync } from 'node:fs';
import type { Clock } from '../../lib/clock.ts';
import { BerthError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { Agent } from '../../agent/port.ts';
import type { ApparmorHost } from '../../oci/runtime-spec/apparmor.ts';
import { SingleFlight } from '../../lib/single-flight.ts';
import { defaultProfile, defaultProfileName } from './default-profile.ts';

const profilesFile = '/sys/kernel/security/apparmor/profiles';
/** A busy node may take this long to compile the profile, and only the containers that need it wait. */
const loadMs = 60_000;
/** What failed is not done again for each container. */
const restMs = 30_000;

interface Loading {
  readonly agent: Pick<Agent, 'exec'>;
  readonly log: Log;
  readonly clock: Pick<Clock, 'monotonicMs'>;
}

/** The node's AppArmor; on a node without it there is nothing to load and no default. */
export class Apparmor implements ApparmorHost {
  readonly enabled: boolean;
  readonly #profiles: string;
  readonly #loads = new SingleFlight<void>();
  #default: string | undefined;
  #restsUntilMs = 0;

  constructor(enabled: boolean, profiles = profilesFile) {
    this.enabled = enabled;
    this.#profiles = profiles;
  }

  get defaultProfile(): string | undefined {
    return this.#default;
  }

  /**
   * Gives the kernel the default profile: once, and again when somebody has unloaded it. Where that fails there is no
   * default, the log says why, and some time later a call tries anew.
   */
  async provideDefault(loading: Loading, signal: AbortSignal): Promise<void> {
    if (!this.enabled || this.#hasDefault()) return;
    this.#default = undefined;
    if (loading.clock.monotonicMs() < this.#restsUntilMs) return;
    await this.#loads.run(defaultProfileName, (attempt) => this.#load(loading, attempt), signal);
  }

  isLoaded(name: string): boolean {
    // One a line, with its mode in brackets behind it; a name may have spaces.
    const names = readFileSync(this.#profiles, 'utf8').split('\n').map((line) => line.replace(/ \(\w+\)$/, ''));
    return name !== '' && names.includes(name);
  }

  #hasDefault(): boolean {
    if (this.#default === undefined) return false;
    try {
      return this.isLoaded(this.#default);
    } catch {
      // A list that cannot be read does not tell that the profile is gone.
      return true;
    }
  }

  async #load({ agent, log, clock }: Loading, signal: AbortSignal): Promise<void> {
    try {
      await parse(agent, signal);
      this.#default = defaultProfileName;
    } catch (error) {
      signal.throwIfAborted();
      this.#restsUntilMs = clock.monotonicMs() + restMs;
      log.warn({ err: error }, 'the default AppArmor profile could not be loaded; containers that ask for no profile run without, and RuntimeDefault is refused');
    }
  }
}

async function parse(agent: Pick<Agent, 'exec'>, signal: AbortSignal): Promise<void> {
  const request = { argv: ['/sbin/apparmor_parser', '--skip-cache', '--replace'], env: {}, stdin: new TextEncoder().encode(defaultProfile), timeoutMs: loadMs } as const;
  const { exitCode, stderr } = await agent.exec(request, signal);
  if (exitCode !== 0) throw new BerthError('internal', `apparmor_parser ended with ${exitCode}: ${new TextDecoder().decode(stderr).trim()}`);
}
