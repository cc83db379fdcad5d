import { BerthError } from '../lib/errors.ts';

/** CNI_ARGS has no escapes, and is a variable of the environment, which a NUL ends. */
const separators = /[;=\0]/;

/**
 * The text of CNI_ARGS. IgnoreUnknown comes first, so that plugins let the others pass.
 * @throws BerthError `invalid` for a value that would read as further arguments.
 */
export function formatCniArgs(args: Readonly<Record<string, string>>): string {
  const pairs = Object.entries({ ...args, IgnoreUnknown: '1' }).toSorted(([a], [b]) => Number(b === 'IgnoreUnknown') - Number(a === 'IgnoreUnknown'));
  for (const [name, value] of pairs) {
    if (separators.test(name) || separators.test(value)) throw new BerthError('invalid', `the network argument ${name} may not contain ";", "=" or a NUL`, { hint: 'CNI_ARGS has no escapes; the name and the namespace of a pod are arguments, too' });
  }
  return pairs.map(([name, value]) => `${name}=${value}`).join(';');
}

/** The arguments that formatCniArgs takes: without the others nothing was ever attached, so undoing needs none. */
export function usableArgs(args: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(args).filter(([name, value]) => !separators.test(name) && !separators.test(value)));
}
