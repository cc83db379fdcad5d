import { asObject, objectField, stringField } from '../../lib/json-fields.ts';
import type { Container } from '../model/container.ts';
import { checkId, checkWord } from './checks.ts';
import { fromJson } from './tagged-json.ts';

const states: readonly Container['state'][] = ['created', 'starting', 'running', 'paused', 'exited', 'removing', 'unknown'];

/** Reads what ContainerStore wrote; fails `invalid` on anything that is not a whole container. */
export function parseContainer(id: string, value: unknown): Container {
  const what = `the record of container ${id}`;
  const container = asObject(fromJson(value), what);
  checkId(container, id, what);
  checkWord(stringField(container, 'state', what), states, what);
  for (const key of ['owner', 'place', 'podId']) stringField(container, key, what);
  const config = asObject(container['config'], what);
  stringField(config, 'name', what);
  asObject(objectField(config, 'security', what)?.['namespaces'], what);
  // The fields that decide are checked; the others were written by ContainerStore from a whole container.
  return { startedAtNs: undefined, exit: undefined, task: undefined, restoreFrom: undefined, ...container } as unknown as Container;
}
