import { BerthError } from './errors.ts';

/** A JSON object from outside, of which nothing is known yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

const wrong = (what: string, detail: string): BerthError => new BerthError('invalid', `${what} is malformed: ${detail}`);

/** Parses bytes that must hold one JSON object; `what` names the document in the error. */
export function parseJsonObject(bytes: Uint8Array, what: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new BerthError('invalid', `${what} is not JSON`, { cause });
  }
  return asObject(value, what);
}

export function asObject(value: unknown, what: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(what, 'an object was expected');
  return value as JsonObject;
}

/** The string, or '' where the field is absent or null. Other types fail `invalid`. */
export function stringField(object: JsonObject, key: string, what: string): string {
  const value = object[key] ?? '';
  if (typeof value !== 'string') throw wrong(what, `"${key}" must be a string`);
  return value;
}

/** A whole number from 0 to 2^53-1. */
export function countField(object: JsonObject, key: string, what: string): number {
  const value = object[key];
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw wrong(what, `"${key}" must be a whole number`);
  return value;
}

/** The array's items, or none where the field is absent or null. */
export function listField(object: JsonObject, key: string, what: string): readonly unknown[] {
  const value = object[key] ?? [];
  if (!Array.isArray(value)) throw wrong(what, `"${key}" must be a list`);
  return value as readonly unknown[];
}

export function stringsField(object: JsonObject, key: string, what: string): readonly string[] {
  return listField(object, key, what).map((item) => {
    if (typeof item !== 'string') throw wrong(what, `"${key}" must be a list of strings`);
    return item;
  });
}

/** The nested object, or undefined where the field is absent or null. */
export function objectField(object: JsonObject, key: string, what: string): JsonObject | undefined {
  const value = object[key] ?? undefined;
  return value === undefined ? undefined : asObject(value, `"${key}" of ${what}`);
}

export function stringMapField(object: JsonObject, key: string, what: string): Readonly<Record<string, string>> {
  const map = objectField(object, key, what) ?? {};
  return Object.fromEntries(
    Object.keys(map).map((name) => [name, stringField(map, name, `"${key}" of ${what}`)]),
  );
}
