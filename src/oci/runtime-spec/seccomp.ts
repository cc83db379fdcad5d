import { defaultProfile } from '@berth/seccomp-profiles';
import { BerthError } from '../../lib/errors.ts';
import { parseExactly } from '../../lib/exact-json.ts';
import type { ProfileInput } from './input.ts';
import type { OciSeccomp } from './types.ts';

/** A hundred times what the default profile has. */
export const maxProfileBytes = 1 << 20;

/** The begin of a file, one byte over the limit at most; its kind is none where there is none. */
export type ReadProfile = (path: string) => Promise<{ readonly kind: string; readonly problem: string; readonly content: Uint8Array }>;

async function readProfile(path: string, read: ReadProfile): Promise<OciSeccomp> {
  const { kind, problem, content } = await read(path);
  if (kind !== 'file') throw new BerthError('invalid', `seccomp profile ${path} cannot be read: ${problem || 'there is no such file'}`, { hint: 'put the profile on this node or fix its path' });
  if (content.byteLength > maxProfileBytes) throw new BerthError('invalid', `seccomp profile ${path} is larger than ${maxProfileBytes} bytes`);
  const text = new TextDecoder().decode(content);
  let profile: unknown;
  try {
    profile = parseExactly(text);
  } catch (cause) {
    throw new BerthError('invalid', `seccomp profile ${path} is not JSON`, { cause });
  }
  if (isProfile(profile)) return profile;
  throw new BerthError('invalid', `seccomp profile ${path} has no defaultAction`, { hint: "write it as the OCI runtime specification's linux.seccomp" });
}

/** OCI runtimes take null for no filter at all; whoever names a file wants one. The rest is for the runtime to judge. */
function isProfile(value: unknown): value is OciSeccomp {
  return typeof value === 'object' && value !== null && 'defaultAction' in value && typeof value.defaultAction === 'string';
}

/**
 * The filter that a request leads to; undefined: none. CRI: no profile means unconfined, an empty one RuntimeDefault,
 * and a privileged container has none whatever it asks.
 */
export async function seccompFor(profile: ProfileInput | undefined, privileged: boolean, capabilities: readonly string[], read: ReadProfile): Promise<OciSeccomp | undefined> {
  if (profile !== undefined && profile.type !== 'localhost' && profile.localhostRef !== '') {
    throw new BerthError('invalid', `a seccomp profile of type ${profile.type} names the file ${profile.localhostRef}`, { hint: 'only Localhost takes a file' });
  }
  if (privileged || profile === undefined || profile.type === 'unconfined') return undefined;
  if (profile.type === 'runtime-default') return defaultProfile(capabilities, process.arch);
  const path = profile.localhostRef.replace(/^localhost\//, '');
  if (!path.startsWith('/')) throw new BerthError('invalid', `seccomp profile "${path}" is not an absolute path`);
  return readProfile(path, read);
}
