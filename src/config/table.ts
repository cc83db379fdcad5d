import { BerthError } from '../lib/errors.ts';
import { wrongValue, type Field, type Place, type ValueOf } from './field.ts';
import { nearest } from './nearest.ts';

type Fields = Readonly<Record<string, Field<unknown>>>;
type Values<F extends Fields> = { readonly [Name in keyof F]: ValueOf<F[Name]> };

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const below = (place: Place, key: string): Place => ({ ...place, key: place.key === '' ? key : `${place.key}.${key}` });

function asTable(value: unknown, place: Place): Readonly<Record<string, unknown>> {
  if (value === undefined) return {};
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Date) throw wrongValue(place, 'a table', value);
  return value as Readonly<Record<string, unknown>>;
}

function unknownKey(place: Place, known: readonly string[], isTable: boolean): BerthError {
  const key = place.key.split('.').at(-1) ?? '';
  const [head = '', ...rest] = place.key.split('.');
  // TOML reads [registries.docker.io] as three names.
  if (isTable && rest.length > 1) return new BerthError('invalid', `unknown key "${place.key}" in ${place.file}`, { hint: `a name with a dot wants quotes: [${head}."${rest.join('.')}"]` });
  const guess = nearest(key, known);
  return new BerthError('invalid', `unknown key "${place.key}" in ${place.file}`, {
    hint: guess === undefined ? `known keys here: ${known.join(', ')}` : `did you mean "${guess}"?`,
  });
}

/** A table of fixed keys. Field names are camelCase here and snake_case in the file; a key it does not know is an error. */
export function table<F extends Fields>(fields: F): Field<Values<F>> {
  const known = Object.keys(fields).map(snake);
  return {
    parse: (value, place) => {
      const given = asTable(value, place);
      const stray = Object.keys(given).find((key) => !known.includes(key));
      if (stray !== undefined) throw unknownKey(below(place, stray), known, typeof given[stray] === 'object' && !Array.isArray(given[stray]));
      const read = Object.entries(fields).map(([name, field]) => [name, field.parse(given[snake(name)], below(place, snake(name)))]);
      return Object.freeze(Object.fromEntries(read)) as Values<F>;
    },
    keys: () => Object.entries(fields).flatMap(([name, field]) => field.keys().map((key) => (key === '' ? snake(name) : `${snake(name)}.${key}`))),
  };
}

interface NamesOptions {
  /** These exist even when the file does not mention them. */
  readonly defaults?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Reads a name; what it returns is the name that counts. */
  readonly name?: (written: string, place: Place) => string;
}

/** A table whose keys are names that the user chooses. */
export function tableOf<Value>(field: Field<Value>, { defaults = {}, name: readName = (written) => written }: NamesOptions = {}): Field<Readonly<Record<string, Value>>> {
  return {
    parse: (value, place) => {
      const given = named(asTable(value, place), place, readName);
      const names = [...new Set([...Object.keys(defaults), ...Object.keys(given)])];
      const read = names.map((name) => {
        const here = below(place, name);
        return [name, field.parse({ ...defaults[name], ...asTable(given[name], here) }, here)];
      });
      return Object.freeze(Object.fromEntries(read)) as Readonly<Record<string, Value>>;
    },
    keys: () => field.keys().map((key) => `*.${key}`),
  };
}

function named(given: Readonly<Record<string, unknown>>, place: Place, readName: (written: string, place: Place) => string): Readonly<Record<string, unknown>> {
  const entries = Object.entries(given).map(([written, value]) => [readName(written, { ...place, key: `${place.key}."${written}"` }), value] as const);
  const twice = entries.find(([name], index) => entries.findIndex(([other]) => other === name) < index);
  if (twice !== undefined) throw new BerthError('invalid', `${place.key}."${twice[0]}" in ${place.file} is there twice`);
  return Object.fromEntries(entries);
}
