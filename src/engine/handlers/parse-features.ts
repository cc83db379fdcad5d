import { fieldOf, objectField, parseJsonObject, stringMapField, stringsField } from '../../lib/json-fields.ts';
import type { HandlerFeatures } from '../port.ts';

/** Reads what an OCI runtime's `features` command prints. */
export function parseFeatures(output: Uint8Array): HandlerFeatures {
  const what = 'the features of the OCI runtime';
  const features = parseJsonObject(output, what);
  const linux = objectField(features, 'linux', what) ?? {};
  const extensions = objectField(linux, 'mountExtensions', what) ?? {};
  const idmap = objectField(extensions, 'idmap', what) ?? {};
  return {
    recursiveReadOnlyMounts: stringsField(features, 'mountOptions', what).includes('rro'),
    // runc and crun each have an annotation of their own that ends so.
    checkpoints: Object.entries(stringMapField(features, 'annotations', what)).some(([name, value]) => name.endsWith('.checkpoint.enabled') && value === 'true'),
    userNamespaces: stringsField(linux, 'namespaces', what).includes('user') && fieldOf(idmap, 'enabled') === true,
  };
}
