import { BerthError } from '../../lib/errors.ts';
import type { HostFacts } from '../../oci/runtime-spec/input.ts';

/** Names of cgroup v2 files, which the OCI runtime writes as they come. They are not for version 1, and never paths. */
export function checkUnified(unified: Readonly<Record<string, string>>, { cgroupVersion }: Pick<HostFacts, 'cgroupVersion'>): void {
  const names = Object.keys(unified);
  if (names.length === 0) return;
  if (cgroupVersion === 1) throw new BerthError('precondition', `${names.join(', ')} are files of cgroup version 2, and this node has version 1`, { hint: 'leave resources.unified empty on this node' });
  const wrong = names.find((name) => !/^[a-z0-9_]+(\.[A-Za-z0-9_-]+)+$/.test(name));
  if (wrong !== undefined) throw new BerthError('invalid', `resources.unified names "${wrong}", which is no file of a cgroup controller`);
}
