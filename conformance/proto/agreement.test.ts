/**
 * Our contracts against the interfaces they stand for: every name, number, type, rule and method, in both directions. The
 * descriptors hold the facts as upstream publishes them; to follow a new release, replace the descriptor and then the
 * contract.
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';

const protoDirectory = join(import.meta.dirname, '../../proto');

function contracts(): protobuf.Root {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => (target.startsWith('google/protobuf/') ? target : join(protoDirectory, target));
  root.loadSync(globSync('**/*.proto', { cwd: protoDirectory }), { keepCase: true });
  root.resolveAll();
  return root;
}

function descriptor(name: string): protobuf.Root {
  const json: unknown = JSON.parse(readFileSync(join(import.meta.dirname, 'descriptors', `${name}.json`), 'utf8'));
  const root = protobuf.Root.fromJSON(json as protobuf.INamespace);
  root.resolveAll();
  return root;
}

const typeName = (field: protobuf.Field): string => field.resolvedType?.fullName.slice(1) ?? field.type;

function fieldFact(field: protobuf.Field): string {
  const key = field instanceof protobuf.MapField ? `map<${field.keyType}> ` : '';
  return `${field.id} ${key}${field.repeated ? 'repeated ' : ''}${typeName(field)}${field.options?.['deprecated'] === true ? ' deprecated' : ''}`;
}

function methodFact(method: protobuf.Method): string {
  const stream = (on: boolean | undefined): string => (on === true ? 'stream ' : '');
  return `${stream(method.requestStream)}${method.resolvedRequestType?.fullName.slice(1)} → ${stream(method.responseStream)}${method.resolvedResponseType?.fullName.slice(1)}`;
}

/** Everything that a package says, one line an item. */
function facts(item: protobuf.ReflectionObject, found: Map<string, string> = new Map()): Map<string, string> {
  const name = item.fullName.slice(1);
  if (item instanceof protobuf.Enum) {
    for (const [key, value] of Object.entries(item.values)) found.set(`${name}.${key}`, String(value));
    return found;
  }
  if (item instanceof protobuf.Type) {
    found.set(name, 'message');
    for (const field of item.fieldsArray) found.set(`${name}.${field.name}`, fieldFact(field));
  }
  if (item instanceof protobuf.Service) for (const method of item.methodsArray) found.set(`${name}.${method.name}`, methodFact(method));
  // Extensions of descriptor.proto say nothing about the wire.
  if (item instanceof protobuf.Namespace) for (const nested of item.nestedArray) if (!(nested instanceof protobuf.Field)) facts(nested, found);
  return found;
}

const packages: readonly (readonly [string, string])[] = [
  ['cri', 'runtime.v1'],
  ['containerd-shim', 'containerd.task.v2'],
  ['containerd-shim', 'containerd.task.v3'],
  ['containerd-shim', 'containerd.v1.types'],
  ['containerd-shim', 'containerd.types'],
  ['containerd-shim', 'containerd.runc.v1'],
  ['containerd-shim', 'containerd.events'],
  ['containerd-shim', 'containerd.services.events.ttrpc.v1'],
  ['containerd-shim', 'containerd.runtime.bootstrap.v1'],
  ['nri', 'nri.pkg.api.v1alpha1'],
  ['cgroup-stats', 'io.containerd.cgroups.v1'],
  ['cgroup-stats', 'io.containerd.cgroups.v2'],
];

describe('contracts agree with the interfaces', () => {
  const ours = contracts();

  test.each(packages)('%s: %s', (file, name) => {
    const theirs = descriptor(file).lookup(name);
    const mine = ours.lookup(name);
    expect(theirs, `descriptor of ${name}`).not.toBeNull();
    expect(mine, `contract of ${name}`).not.toBeNull();
    if (theirs === null || mine === null) return;
    const expected = facts(theirs);
    expect(expected.size).toBeGreaterThan(2);
    expect(Object.fromEntries(facts(mine))).toEqual(Object.fromEntries(expected));
  });

  test('every CRI call is there', () => {
    const methods = ['runtime.v1.RuntimeService', 'runtime.v1.ImageService'].flatMap((service) => ours.lookupService(service).methodsArray);
    expect(methods).toHaveLength(43);
  });

  test('the comparison notices a difference', () => {
    const changed = protobuf.parse('syntax = "proto3"; package a; message M { string x = 1; repeated int32 y = 2; }').root;
    const other = protobuf.parse('syntax = "proto3"; package a; message M { bytes x = 1; int32 y = 3; }').root;
    expect([...facts(changed).values()]).toEqual(['message', '1 string', '2 repeated int32']);
    expect([...facts(other).values()]).toEqual(['message', '1 bytes', '3 int32']);
  });
});
