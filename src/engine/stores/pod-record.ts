import { asObject, objectField, stringField, type JsonObject } from '../../lib/json-fields.ts';
import type { Owner } from '../model/owner.ts';
import type { Pod } from '../model/pod.ts';
import { checkId, checkWord } from './checks.ts';
import { fromJson } from './tagged-json.ts';

const owners: readonly Owner[] = ['cri', 'docker'];
const states: readonly Pod['state'][] = ['creating', 'ready', 'notready'];

/** Reads what PodStore wrote; fails `invalid` on anything that is not a whole pod. */
export function parsePod(id: string, value: unknown): Pod {
  const what = `the record of pod ${id}`;
  const pod = asObject(fromJson(value), what);
  checkId(pod, id, what);
  checkWord(stringField(pod, 'state', what), states, what);
  checkConfig(asObject(pod['config'], what), what);
  // The fields that decide are checked; the others were written by PodStore from a whole pod.
  return { network: undefined, ...pod } as unknown as Pod;
}

function checkConfig(config: JsonObject, what: string): void {
  checkWord(stringField(config, 'owner', what), owners, what);
  for (const key of ['key', 'title']) stringField(config, key, what);
  asObject(objectField(config, 'security', what)?.['namespaces'], what);
}
