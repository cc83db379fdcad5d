import { join } from 'node:path';
import { globSync } from 'node:fs';
import protobuf from 'protobufjs';
import { TypeFlags, type Type } from 'typescript/unstable/sync';
import { ProtoFiles, protoDirectory } from '../../src/lib/proto.ts';
import type { Sources } from './typescript.ts';

/** A TypeScript type that stands for a message. `decoded`: values of it come from the codec, which gives absent fields a value of its own. */
export interface Pair {
  readonly message: string;
  readonly type: Type;
  readonly decoded: boolean;
}

/** How messages are spelt in TypeScript. */
export interface Spelling {
  /** Whether names stay as they are in the contract, instead of becoming camelCase. */
  readonly keepCase: boolean;
  /** Whether a type may stand for a scalar or an enum. `kind` is the contract's name of the scalar. */
  readonly takes: (type: string, kind: string, words: readonly string[] | undefined) => boolean;
}

const numbers = new Set(['double', 'float', 'int32', 'uint32']);
const others: Readonly<Record<string, string>> = { string: 'string', bool: 'boolean' };

/** As src/lib/proto.ts codes them. */
export const ownSpelling: Spelling = {
  keepCase: false,
  takes: (type, kind, words) => type === (words !== undefined || numbers.has(kind) ? 'number' : kind === 'bytes' ? 'Uint8Array<ArrayBufferLike>' : (others[kind] ?? 'bigint')),
};

/** As the suites have @grpc/proto-loader code them. */
export const loaderSpelling: Spelling = {
  keepCase: true,
  takes: (type, kind, words) => {
    if (words !== undefined) return type === 'string' || type.split(' | ').every((literal) => words.includes(literal.slice(1, -1)));
    if (kind === 'bytes') return ['Buffer<ArrayBufferLike>', 'string | Uint8Array<ArrayBufferLike>'].includes(type);
    return type === (numbers.has(kind) ? 'number' : (others[kind] ?? 'string'));
  },
};

const files = globSync('**/*.proto', { cwd: protoDirectory });

export function descriptors(options: protobuf.IParseOptions = {}): protobuf.Root {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => (target.startsWith('google/protobuf/') ? target : join(protoDirectory, target));
  root.loadSync(files, options);
  root.resolveAll();
  return root;
}

/** Compares hand-written types with the messages of the contracts, with all that is below them. */
export class Mirror {
  readonly #sources: Sources;
  readonly #spelling: Spelling;
  readonly #root: protobuf.Root;
  readonly #codecs = new ProtoFiles(protoDirectory, files);
  readonly #seen = new Set<string>();
  readonly #wrong = new Set<string>();
  readonly #leftOut = new Map<string, Set<string>>();

  constructor(sources: Sources, spelling: Spelling) {
    this.#sources = sources;
    this.#spelling = spelling;
    this.#root = descriptors(spelling);
  }

  /** What does not agree. */
  get wrong(): readonly string[] {
    return [...this.#wrong].toSorted();
  }

  /** Fields that some type for the message leaves out, by message. */
  get leftOut(): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.#leftOut].map(([name, fields]) => [name, [...fields].toSorted().join(' ')]));
  }

  compare({ message: name, type, decoded }: Pair): void {
    const key = `${name} ${type.id} ${decoded}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    const message = this.#root.lookupType(name);
    const properties = new Set(this.#sources.checker.getPropertiesOfType(type).map((property) => property.name));
    for (const field of message.fieldsArray) {
      if (properties.delete(field.name)) this.#compareField(field, type, decoded);
      else this.#leftOut.set(name, (this.#leftOut.get(name) ?? new Set()).add(field.name));
    }
    for (const surplus of properties) this.#wrong.add(`${name} has no ${surplus}`);
  }

  #compareField(field: protobuf.Field, owner: Type, decoded: boolean): void {
    const type = this.#sources.property(owner, field.name);
    const where = `${field.parent?.fullName.slice(1)}.${field.name}`;
    if (decoded) this.#compareAbsence(field, type, where);
    const given = this.#sources.checker.getNonNullableType(type) ?? type;
    this.#compareElement(field, this.#elementOf(field, given), { where, decoded });
  }

  /** The type of one value of the field; undefined where the type is no map, no array, or one too many. */
  #elementOf(field: protobuf.Field, type: Type): Type | undefined {
    if (field instanceof protobuf.MapField) return this.#indexed(type, TypeFlags.String);
    const isArray = this.#sources.checker.isArrayType(type);
    if (field.repeated) return isArray ? this.#indexed(type, TypeFlags.Number) : undefined;
    return isArray ? undefined : type;
  }

  /** The value that the codec gives to an absent field must be one of the type. */
  #compareAbsence(field: protobuf.Field, type: Type, where: string): void {
    const { checker } = this.#sources;
    const empty = this.#codecs.codec<Record<string, unknown>>(field.parent?.fullName.slice(1) ?? '').decode(new Uint8Array());
    const absent = empty[field.name];
    if (absent === null && !checker.isTypeAssignableTo(checker.getNullType(), type)) this.#wrong.add(`${where} may be null`);
    if (absent === undefined && !checker.isTypeAssignableTo(checker.getUndefinedType(), type)) this.#wrong.add(`${where} may be undefined`);
  }

  /** The type of an array's or a map's elements. */
  #indexed(type: Type, key: TypeFlags): Type | undefined {
    return this.#sources.checker.getIndexInfosOfType(type).find(({ keyType }) => (keyType.flags & key) !== 0)?.valueType;
  }

  /** A union by what it is made of, and not by its name. */
  #spell(type: Type): string {
    const { checker } = this.#sources;
    const name = checker.typeToString(type);
    return type.isUnionType() && name !== 'boolean' ? type.getTypes().map((each) => checker.typeToString(each)).join(' | ') : name;
  }

  #compareElement(field: protobuf.Field, type: Type | undefined, { where, decoded }: { readonly where: string; readonly decoded: boolean }): void {
    const { checker } = this.#sources;
    const kind = `${field instanceof protobuf.MapField ? 'map of ' : field.repeated ? 'repeated ' : ''}${field.type}`;
    if (type === undefined) this.#wrong.add(`${where} is ${kind}`);
    else if (field.resolvedType instanceof protobuf.Type) this.compare({ message: field.resolvedType.fullName.slice(1), type, decoded });
    else if (!this.#spelling.takes(this.#spell(type), field.type, wordsOf(field))) this.#wrong.add(`${where} is ${kind}, not ${checker.typeToString(type)}`);
  }
}

function wordsOf({ resolvedType }: protobuf.Field): readonly string[] | undefined {
  return resolvedType instanceof protobuf.Enum ? Object.keys(resolvedType.values) : undefined;
}
