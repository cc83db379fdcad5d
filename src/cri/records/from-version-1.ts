import { countField, objectField, stringField, stringMapField, type JsonObject } from '../../lib/json-fields.ts';
import { networkHints } from '../codec/network-hints.ts';
import { identityOf } from '../codec/pod-metadata.ts';

/** In schema version 1 there was no other door, and the engine knew what Kubernetes calls a pod. */
export function podFromVersion1(pod: JsonObject): JsonObject {
  const what = 'a pod of schema version 1';
  const config = objectField(pod, 'config', what);
  const identity = config && objectField(config, 'identity', what);
  if (identity === undefined) return pod;
  const { identity: _replaced, ...rest } = config ?? {};
  const [name, namespace, uid] = ['name', 'namespace', 'uid'].map((key) => stringField(identity, key, what)) as [string, string, string];
  const metadata = { name, namespace, uid, attempt: countField(identity, 'attempt', what) };
  return { ...pod, config: { ...rest, ...identityOf(metadata), networkHints: networkHints(metadata, stringMapField(rest, 'annotations', what)) } };
}

export function containerFromVersion1(container: JsonObject): JsonObject {
  return { owner: 'cri', place: 'given', runs: container['startedAtNs'] === undefined ? 0 : 1, ...container };
}
