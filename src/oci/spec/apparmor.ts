import { BerthError } from '../../lib/errors.ts';
import type { ProfileInput } from './input.ts';

/** What the node has of AppArmor. */
export interface ApparmorHost {
  readonly enabled: boolean;
  /** Name of the profile for containers that ask for no other; undefined where it could not be loaded. */
  readonly defaultProfile: string | undefined;
  /** Whether the kernel has a profile of this name. Asked for local profiles alone. */
  readonly isLoaded: (name: string) => boolean;
}

/**
 * The profile that a request leads to; undefined: none. CRI: no profile at all means the default one, unlike seccomp. A
 * privileged container has none unless it names one, and a node without AppArmor has no default to give. Fails where a
 * named profile cannot be had.
 */
export function apparmorFor(profile: ProfileInput | undefined, privileged: boolean, host: ApparmorHost): string | undefined {
  if (profile?.type === 'unconfined') return undefined;
  if (profile?.type !== 'localhost') return host.enabled && !privileged ? host.defaultProfile : undefined;
  const name = profile.localhostRef.replace(/^localhost\//, '');
  if (!host.enabled) {
    throw new BerthError('invalid', `the AppArmor profile "${name}" is asked for but this node has no AppArmor`, { hint: 'enable it in the kernel or ask for no profile' });
  }
  if (host.isLoaded(name)) return name;
  throw new BerthError('invalid', `the AppArmor profile "${name}" is not loaded on this node`, { hint: 'load it with apparmor_parser' });
}
