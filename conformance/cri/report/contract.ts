import { join } from 'node:path';
import protobuf from 'protobufjs';

const protoDirectory = join(import.meta.dirname, '../../../proto');

/** One RPC of the contract. */
export interface Rpc {
  readonly service: string;
  readonly name: string;
  readonly request: protobuf.Type;
  readonly reply: protobuf.Type;
}

/** The CRI contract, for walking through its messages. */
export function loadRpcs(): readonly Rpc[] {
  const root = new protobuf.Root();
  root.loadSync(join(protoDirectory, 'cri/api.proto'), { keepCase: true });
  root.resolveAll();
  return ['RuntimeService', 'ImageService'].flatMap((service) =>
    root.lookupService(`runtime.v1.${service}`).methodsArray.map((method) => ({
      service,
      name: method.name,
      request: root.lookupType(`runtime.v1.${method.requestType}`),
      reply: root.lookupType(`runtime.v1.${method.responseType}`),
    })),
  );
}

/** `Message.field` of a field. */
export const fieldName = (field: protobuf.Field): string => `${field.parent?.name ?? ''}.${field.name}`;

/** Every field that can be reached from a message, in the order of the contract; those of messages for Windows count as one. */
export function reachableFields(type: protobuf.Type, seen: Set<protobuf.Type> = new Set()): readonly protobuf.Field[] {
  if (seen.has(type) || type.name.startsWith('Windows')) return [];
  seen.add(type);
  return type.fieldsArray.flatMap((field) => [field, ...(field.resolvedType instanceof protobuf.Type ? reachableFields(field.resolvedType, seen) : [])]);
}

/** Names of the fields that a message sets to something else than their default, at any depth. */
export function fieldsSet(type: protobuf.Type, message: object, found: Set<string> = new Set()): Set<string> {
  for (const field of type.fieldsArray) {
    const value = (message as Readonly<Record<string, unknown>>)[field.name];
    if (isDefault(field, value)) continue;
    found.add(fieldName(field));
    for (const each of valuesOf(field, value)) {
      if (field.resolvedType instanceof protobuf.Type && typeof each === 'object' && each !== null) fieldsSet(field.resolvedType, each, found);
    }
  }
  return found;
}

function valuesOf(field: protobuf.Field, value: unknown): readonly unknown[] {
  if (field.map) return Object.values(value as object);
  return field.repeated ? (value as readonly unknown[]) : [value];
}

function isDefault(field: protobuf.Field, value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === false) return true;
  if (field.map) return Object.keys(value as object).length === 0;
  if (field.repeated || value instanceof Uint8Array) return (value as ArrayLike<unknown>).length === 0;
  if (field.resolvedType instanceof protobuf.Enum) return value === 0 || field.resolvedType.values[String(value)] === 0;
  // "0" is a number where 64 bits are, and a value where text is.
  return field.type !== 'string' && typeof value !== 'object' && Number(value) === 0;
}
