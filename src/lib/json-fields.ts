import { BerthError } from './errors.ts';
import { membersOf, objectOf, parseDocument } from './json-document.ts';

/**
 * A JSON object from outside, of which nothing is known yet. The readers below take the fields of what parseJson() read as
 * the field's programs do, which are written in Go (encoding/json): names in any case; of a name that comes again the last
 * value, while null changes no string, and objects are merged. In berth's own records a name is exact.
 */
export type JsonObject = Readonly<Record<string, unknown>>;

const wrong = (what: string, detail: string): BerthError => new BerthError('invalid', `${what} is malformed: ${detail}`);

/** Parses bytes that must hold one JSON object of others' making; `what` names the document in the error. */
export function parseJsonObject(bytes: Uint8Array, what: string): JsonObject {
  return asObject(parseJson(bytes, what), what);
}

/** Parses JSON of others' making. As in Go, bytes that are no UTF-8 do not count against it. */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  try {
    return parseDocument(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes));
  } catch (cause) {
    throw cause instanceof RangeError ? wrong(what, cause.message) : new BerthError('invalid', `${what} is not JSON`, { cause });
  }
}

export function asObject(value: unknown, what: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(what, 'an object was expected');
  return value as JsonObject;
}

/** Go folds these two beyond ASCII to letters within it. */
const folded = (name: string): string => name.replaceAll(/[A-Z\u017f\u212a]/g, (letter) => (letter === '\u017f' ? 's' : letter.toLowerCase()));

/** What Go's reader makes of a field that comes again. */
function merge(known: unknown, next: unknown): unknown {
  if (next === null) return Array.isArray(known) ? undefined : known;
  const [before, after] = [known, next].map((value) => (typeof value === 'object' && value !== null ? membersOf(value) : undefined));
  return before === undefined || after === undefined ? next : objectOf([...before, ...after]);
}

/** The field's value, whatever it is; undefined where the object has none, or null. */
export function fieldOf(object: JsonObject, key: string): unknown {
  const members = membersOf(object);
  if (members === undefined) return object[key] ?? undefined;
  const name = folded(key);
  return members.filter(([written]) => folded(written) === name).reduce<unknown>((known, [, next]) => merge(known, next), undefined);
}

/** The string, or '' where the field is absent or null. Other types fail `invalid`. */
export function stringField(object: JsonObject, key: string, what: string): string {
  const value = fieldOf(object, key) ?? '';
  if (typeof value !== 'string') throw wrong(what, `"${key}" must be a string`);
  return value;
}

/** A whole number from 0 to 2^53-1. */
export function countField(object: JsonObject, key: string, what: string): number {
  const value = fieldOf(object, key);
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw wrong(what, `"${key}" must be a whole number`);
  return value;
}

/** The array's items, or none where the field is absent or null. */
export function listField(object: JsonObject, key: string, what: string): readonly unknown[] {
  const value = fieldOf(object, key) ?? [];
  if (!Array.isArray(value)) throw wrong(what, `"${key}" must be a list`);
  return value as readonly unknown[];
}

export function stringsField(object: JsonObject, key: string, what: string): readonly string[] {
  return listField(object, key, what).map((item) => {
    const text = item ?? '';
    if (typeof text !== 'string') throw wrong(what, `"${key}" must be a list of strings`);
    return text;
  });
}

/** The nested object, or undefined where the field is absent or null. */
export function objectField(object: JsonObject, key: string, what: string): JsonObject | undefined {
  const value = fieldOf(object, key);
  return value === undefined ? undefined : asObject(value, `"${key}" of ${what}`);
}

/** An object's strings by their names, which are data and count as they are written; null is ''. */
export function stringMapField(object: JsonObject, key: string, what: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(objectField(object, key, what) ?? {}).map(([name, value]) => {
      const text = value ?? '';
      if (typeof text !== 'string') throw wrong(`"${key}" of ${what}`, `"${name}" must be a string`);
      return [name, text];
    }),
  );
}
