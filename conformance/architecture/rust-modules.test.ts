import { globSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { cyclesOf } from './cycles.ts';

const crates = join(import.meta.dirname, '../../native/crates');

/** A crate's modules by path, such as `task::start`; the root has none. */
type Sources = ReadonlyMap<string, string>;

/** Names that a module hands on as its own, and where they come from. */
type Exports = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** Without comments, strings and inline tests, none of which makes a module depend on another. */
function codeOf(text: string): string {
  const product = text.split(/^#\[cfg\(test\)\]\n(?:pub )?mod \w+ \{/m)[0] ?? '';
  return product.replaceAll(/\/\/.*$/gm, '').replaceAll(/"(?:[^"\\]|\\.)*"/gs, '""');
}

function moduleOf(file: string): string {
  const parts = file.replace(/\.rs$/, '').split('/');
  return (['mod', 'lib', 'main'].includes(parts.at(-1) ?? '') ? parts.slice(0, -1) : parts).join('::');
}

function sourcesOf(crate: string): Sources {
  const files = globSync('**/*.rs', { cwd: join(crate, 'src') }).filter((file) => !/(?:^|\/)(?:tests|testing)(?:\/|\.rs$)/.test(file));
  return new Map(files.map((file) => [moduleOf(file), codeOf(readFileSync(join(crate, 'src', file), 'utf8'))]));
}

/** The paths that a `use` names: `a::{b, c::{self, D}}` is `a::b`, `a::c` and `a::c::D`. */
function spread(tree: string): readonly string[] {
  const open = tree.indexOf('{');
  if (open < 0) return [tree.replace(/\s+as\s+\w+$/, '').trim()];
  const parts = ['']; // The list's own members, which may hold lists.
  let depth = 0;
  for (const letter of tree.slice(open + 1, tree.lastIndexOf('}'))) {
    depth += letter === '{' ? 1 : letter === '}' ? -1 : 0;
    if (letter === ',' && depth === 0) parts.push('');
    else parts.push((parts.pop() ?? '') + letter);
  }
  const before = tree.slice(0, open).trim();
  return parts.map((part) => part.trim()).filter((part) => part !== '').flatMap((part) => spread(before + (part === 'self' ? '' : part)));
}

const usePattern = /^\s*(?:pub(?:\([^)]*\))? )?use ([^;]+);/gm;
const exportPattern = /^pub(?:\([^)]*\))? use ([^;]+);/gm;

const named = (text: string, pattern: RegExp): readonly string[] => [...text.matchAll(pattern)].flatMap((match) => spread((match[1] ?? '').replaceAll(/\s+/g, ' ')));

/** Every path in a module's text, in `use` statements and out of them. What it hands on counts where it uses it itself. */
function pathsIn(text: string): readonly string[] {
  const code = text.replaceAll(usePattern, '');
  const handedOn = named(text, exportPattern).filter((path) => new RegExp(`\\b${path.split('::').at(-1)}\\b`).test(code));
  const used = named(text.replaceAll(exportPattern, ''), usePattern);
  const inline = [...code.matchAll(/\b(?:[a-z_]\w*::)+\w+/g)].map((match) => match[0]);
  return [...handedOn, ...used, ...inline];
}

/** A path seen from a module, from the crate's root on; none where it leads out of the crate. */
function absolute(path: string, from: string, sources: Sources): string | undefined {
  const parts = path.replaceAll(/(?:::)+$/g, '').split('::');
  const here = from === '' ? [] : from.split('::');
  if (parts[0] === 'crate') return parts.slice(1).join('::');
  if (parts[0] === 'self') return [...here, ...parts.slice(1)].join('::');
  if (parts[0] === 'super') {
    const up = parts.filter((part) => part === 'super').length;
    return [...here.slice(0, -up), ...parts.slice(up)].join('::');
  }
  const child = [...here, parts[0] ?? ''].join('::');
  return sources.has(child) ? [...here, ...parts].join('::') : undefined;
}

function exportsOf(sources: Sources): Exports {
  return new Map(
    [...sources].map(([module, text]) => {
      const known = named(text, exportPattern).map((path) => [path.split('::').at(-1) ?? '', absolute(path, module, sources)] as const);
      return [module, new Map(known.filter((entry): entry is readonly [string, string] => entry[1] !== undefined))];
    }),
  );
}

/** The module that holds what an absolute path names: what a module only hands on is another's. */
function holderOf(path: string, sources: Sources, exports: Exports): string {
  const parts = path === '' ? [] : path.split('::');
  for (let length = parts.length; length >= 0; length -= 1) {
    const module = parts.slice(0, length).join('::');
    if (!sources.has(module)) continue;
    const origin = exports.get(module)?.get(parts[length] ?? '');
    return origin === undefined || origin === path ? module : holderOf(origin, sources, exports);
  }
  return '';
}

function edgesOf(sources: Sources): ReadonlyMap<string, ReadonlySet<string>> {
  const exports = exportsOf(sources);
  const targets = (module: string, text: string): readonly string[] =>
    pathsIn(text)
      .map((path) => absolute(path, module, sources))
      .filter((path) => path !== undefined)
      .map((path) => holderOf(path, sources, exports))
      .filter((target) => target !== module);
  return new Map([...sources].map(([module, text]) => [module, new Set(targets(module, text))]));
}

test('a module that hands a name on is not what the name depends on, and tests are no code', () => {
  const edges = edgesOf(
    new Map([
      ['', 'mod a;\nmod b;\npub use a::{A, c::C};\nfn f(c: C) {}\n'],
      ['a', 'use crate::b::{self, B};\n'],
      ['a::c', 'use super::super::A;\nfn f() { crate::b::g(); }\n'],
      ['b', codeOf('// use crate::a::A;\n#[cfg(test)]\nmod tests {\n use crate::a;\n}\n')],
    ]),
  );
  expect(Object.fromEntries([...edges].map(([module, targets]) => [module, [...targets]]))).toEqual({ '': ['a::c'], a: ['b'], 'a::c': ['a', 'b'], b: [] });
});

const names = globSync('*/src', { cwd: crates }).map((path) => basename(dirname(path)));

test.each(names)('the modules of crate %s form no cycle', (name) => {
  const sources = sourcesOf(join(crates, name));
  expect(sources.size).toBeGreaterThan(0);
  expect(cyclesOf(edgesOf(sources))).toEqual([]);
});
