import { readFileSync } from 'node:fs';
import { BerthError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { Agent } from '../../native/port.ts';
import type { ApparmorHost } from '../../oci/spec/apparmor.ts';
import { defaultProfile, defaultProfileName } from './default-profile.ts';

const profilesFile = '/sys/kernel/security/apparmor/profiles';
const loadMs = 5000;

/** The node's AppArmor; on a node without it there is nothing to load and no default. */
export class Apparmor implements ApparmorHost {
  readonly enabled: boolean;
  readonly #profiles: string;
  #default: string | undefined;

  constructor(enabled: boolean, profiles = profilesFile) {
    this.enabled = enabled;
    this.#profiles = profiles;
  }

  get defaultProfile(): string | undefined {
    return this.#default;
  }

  /** Gives the kernel the default profile. Where that fails, containers run without one, and the log says why. */
  async load({ agent, log }: { readonly agent: Pick<Agent, 'exec'>; readonly log: Log }, signal: AbortSignal): Promise<void> {
    if (!this.enabled) return;
    try {
      await parse(agent, signal);
      this.#default = defaultProfileName;
    } catch (error) {
      log.warn({ err: error }, 'the default AppArmor profile could not be loaded; containers that name none run without');
    }
  }

  isLoaded(name: string): boolean {
    // One a line, with its mode in brackets behind it; a name may have spaces.
    const names = readFileSync(this.#profiles, 'utf8').split('\n').map((line) => line.replace(/ \(\w+\)$/, ''));
    return name !== '' && names.includes(name);
  }
}

async function parse(agent: Pick<Agent, 'exec'>, signal: AbortSignal): Promise<void> {
  const request = { argv: ['/sbin/apparmor_parser', '--skip-cache', '--replace'], env: {}, stdin: new TextEncoder().encode(defaultProfile), timeoutMs: loadMs } as const;
  const { exitCode, stderr } = await agent.exec(request, signal);
  if (exitCode !== 0) throw new BerthError('internal', `apparmor_parser ended with ${exitCode}: ${new TextDecoder().decode(stderr).trim()}`);
}
