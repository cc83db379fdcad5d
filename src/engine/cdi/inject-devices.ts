import type { OciSpec } from '../../oci/runtime-spec/types.ts';
import { applyEdits } from './apply-edits.ts';
import { editsFor, readRegistry } from './cdi-registry.ts';

/**
 * The spec with what the named CDI devices (`vendor.example/class=name`) change in it. Reads the specs in `dirs` anew at
 * each call, as drivers write them at any time, and nothing when no device is named.
 *
 * @throws BerthError `invalid`, naming the device, when one is not known, defined twice or not on this node.
 */
export function injectDevices(spec: OciSpec, names: readonly string[], dirs: readonly string[]): OciSpec {
  return names.length === 0 ? spec : editsFor(readRegistry(dirs), names).reduce(applyEdits, spec);
}
