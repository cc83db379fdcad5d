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

/** Whether a request leads to the default profile. CRI: so does no profile at all, unlike seccomp. */
export function takesDefaultProfile(profile: ProfileInput | undefined, privileged: boolean): boolean {
  return !privileged && (profile === undefined || profile.type === 'runtime-default');
}

/**
 * The profile that a request leads to; undefined: none. A privileged container has none unless it names one. A node without
 * AppArmor has no default to give; the kubelet itself keeps pods that ask for it away from there. Fails where a profile is
 * asked for that cannot be had.
 */
export function apparmorFor(profile: ProfileInput | undefined, privileged: boolean, host: ApparmorHost): string | undefined {
  if (takesDefaultProfile(profile, privileged)) return host.enabled ? defaultFor(profile, host) : undefined;
  return profile?.type === 'localhost' ? localProfile(profile.localhostRef, host) : undefined;
}

/** Without the default profile, only who did not ask for it runs. */
function defaultFor(profile: ProfileInput | undefined, { defaultProfile }: ApparmorHost): string | undefined {
  if (defaultProfile !== undefined || profile === undefined) return defaultProfile;
  throw new BerthError('precondition', 'the default AppArmor profile is asked for by RuntimeDefault but could not be loaded on this node', {
    hint: "berthd's log says why; see that /sbin/apparmor_parser is installed and works, or ask for Unconfined",
  });
}

function localProfile(ref: string, host: ApparmorHost): string {
  const name = ref.replace(/^localhost\//, '');
  if (!host.enabled) {
    throw new BerthError('invalid', `the AppArmor profile "${name}" is asked for but this node has no AppArmor`, { hint: "berthd's log says why; install the package apparmor and restart berthd, or ask for no profile" });
  }
  if (host.isLoaded(name)) return name;
  throw new BerthError('invalid', `the AppArmor profile "${name}" is not loaded on this node`, { hint: 'load it with apparmor_parser' });
}
