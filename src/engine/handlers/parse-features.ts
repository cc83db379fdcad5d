import { objectField, parseJsonObject, stringsField } from '../../lib/json-fields.ts';
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
    userNamespaces: stringsField(linux, 'namespaces', what).includes('user') && idmap['enabled'] === true,
  };
}
