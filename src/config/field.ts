import { BerthError } from '../lib/errors.ts';
import { Secret } from './secret.ts';

/** Where a value stands, for messages: the file and the dotted key. */
export interface Place {
  readonly file: string;
  readonly key: string;
}

/** How one setting is read. `parse` gets undefined when the key is absent. */
export interface Field<Value> {
  parse(value: unknown, place: Place): Value;
  /** Dotted keys below this one; a leaf has only ''. */
  keys(): readonly string[];
}

export type ValueOf<F> = F extends Field<infer Value> ? Value : never;

/** An error about the value at a place: names key and file, and says what was expected. */
export function wrongValue(place: Place, expected: string, value: unknown): BerthError {
  // A value may be a secret that was put under the wrong key, so only its type is told.
  return new BerthError('invalid', `${place.key} in ${place.file} must be ${expected}, not ${describe(value)}`);
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a table';
  return typeof value === 'string' ? 'this string' : `the ${typeof value} ${String(value)}`;
}

/** A field without keys below it, read by one function. */
export function leaf<Value>(fallback: Value, read: (value: unknown, place: Place) => Value): Field<Value> {
  return { parse: (value, place) => (value === undefined ? fallback : read(value, place)), keys: () => [''] };
}

function asString(value: unknown, place: Place, expected = 'a string'): string {
  if (typeof value !== 'string') throw wrongValue(place, expected, value);
  return value;
}

export const text = (fallback: string): Field<string> => leaf(fallback, asString);

export const flag = (fallback: boolean): Field<boolean> =>
  leaf(fallback, (value, place) => {
    if (typeof value !== 'boolean') throw wrongValue(place, 'true or false', value);
    return value;
  });

/** A boolean that may be left to another setting. */
export const optionalFlag = (): Field<boolean | undefined> => {
  const inner = flag(false);
  return leaf<boolean | undefined>(undefined, (value, place) => inner.parse(value, place));
};

export const secret = (): Field<Secret> =>
  leaf(new Secret(''), (value, place) => {
    // Not wrongValue(): it would show a password that was written as a number.
    if (typeof value !== 'string') throw new BerthError('invalid', `${place.key} in ${place.file} must be a string`);
    return new Secret(value);
  });

export function integer(fallback: number, range: { readonly min: number; readonly max: number }): Field<number> {
  const expected = `a whole number from ${range.min} to ${range.max}`;
  return leaf(fallback, (value, place) => {
    if (!Number.isInteger(value) || Number(value) < range.min || Number(value) > range.max) throw wrongValue(place, expected, value);
    return Number(value);
  });
}

export function fraction(fallback: number): Field<number> {
  return leaf(fallback, (value, place) => {
    if (typeof value !== 'number' || !(value >= 0 && value <= 1)) throw wrongValue(place, 'a number from 0 to 1', value);
    return value;
  });
}

export function oneOf<const Choice extends string>(fallback: Choice, choices: readonly Choice[]): Field<Choice> {
  return leaf(fallback, (value, place) => {
    const found = choices.find((choice) => choice === value);
    if (found === undefined) throw wrongValue(place, `one of ${choices.map((choice) => `"${choice}"`).join(', ')}`, value);
    return found;
  });
}

/** An absolute path; empty only where the fallback is empty, meaning "not set". */
export function path(fallback: string): Field<string> {
  return leaf(fallback, (value, place) => {
    const given = asString(value, place, 'an absolute path');
    if (!given.startsWith('/') && !(given === '' && fallback === '')) throw wrongValue(place, 'an absolute path', value);
    return given === '/' ? given : given.replace(/\/+$/, '');
  });
}

export function listOf<Item>(item: Field<Item>, fallback: readonly Item[]): Field<readonly Item[]> {
  return leaf(fallback, (value, place) => {
    if (!Array.isArray(value)) throw wrongValue(place, 'a list', value);
    return value.map((entry: unknown, index) => item.parse(entry, { ...place, key: `${place.key}[${index}]` }));
  });
}

/** A file mode written as an octal string such as "0660". */
export function mode(fallback: number): Field<number> {
  return leaf(fallback, (value, place) => {
    const given = asString(value, place, 'an octal mode such as "0660"');
    if (!/^0?[0-7]{3}$/.test(given)) throw wrongValue(place, 'an octal mode such as "0660"', value);
    return Number.parseInt(given, 8);
  });
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** A duration such as "500ms", "30s", "5m"; read as milliseconds. */
export function duration(fallbackMs: number): Field<number> {
  return leaf(fallbackMs, (value, place) => {
    const expected = 'a duration such as "500ms", "30s" or "5m"';
    const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(asString(value, place, expected));
    if (match === null) throw wrongValue(place, expected, value);
    return Number(match[1]) * (unitMs[match[2] ?? 'ms'] ?? 1);
  });
}
