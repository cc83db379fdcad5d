import { compact } from './resources.ts';

/** Sets and takes away by name. */
export function applyPairs<Value>(before: Readonly<Record<string, Value>>, changes: ReadonlyMap<string, Value | undefined>): Readonly<Record<string, Value>> {
  return compact({ ...before, ...Object.fromEntries(changes) }) as Readonly<Record<string, Value>>;
}
