import { objectField, stringField, stringMapField, type JsonObject } from '../../lib/json-fields.ts';
import { networkHints } from '../codec/network-hints.ts';

/** A pod's record of schema version 1 knew its identity and annotations only; here is what CNI plugins were told of them. */
export function withNetworkHints(pod: JsonObject): JsonObject {
  const what = 'a pod of schema version 1';
  const config = objectField(pod, 'config', what);
  if (config === undefined || config['networkHints'] !== undefined) return pod;
  const identity = objectField(config, 'identity', what) ?? {};
  const [name, namespace, uid] = ['name', 'namespace', 'uid'].map((key) => stringField(identity, key, what)) as [string, string, string];
  return { ...pod, config: { ...config, networkHints: networkHints({ name, namespace, uid }, stringMapField(config, 'annotations', what)) } };
}
