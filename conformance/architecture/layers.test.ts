import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, test } from 'vitest';
import { cyclesOf, type Edges } from './cycles.ts';

const root = join(import.meta.dirname, '../..');

interface Import {
  readonly file: string;
  readonly from: string;
  readonly target: string;
  readonly to: string;
}

/** The second path part of src/FOLDER/…: what the layers are about. */
const folderOf = (path: string): string => path.split('/')[1] ?? '';

const importPattern = /(?:from\s+|import\s*\(\s*|import\s+)'([^']+)'/g;

const sources = globSync('src/**/*.ts', { cwd: root }).filter((file) => !file.endsWith('.test.ts') && !file.includes('/testing/'));

function specifiers(file: string): readonly string[] {
  return [...readFileSync(join(root, file), 'utf8').matchAll(importPattern)].map((match) => match[1] ?? '');
}

const imports: readonly Import[] = sources.flatMap((file) =>
  specifiers(file)
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => {
      const target = normalize(join(dirname(file), specifier));
      return { file, from: folderOf(file), target, to: folderOf(target) };
    }),
);

const drivers = new Set(['agent', 'state', 'images', 'snapshotter', 'cni', 'shim', 'metrics', 'nri']);
const doors = new Set(['cri', 'docker', 'remotecommand', 'operator']);
const clients = new Set(['cli', 'bench']);
const base = new Set(['lib', 'oci', 'config', 'telemetry']);

const isPort = (target: string): boolean => /^src\/[a-z]+\/port\.ts$/.test(target);

/** Whether a file of one folder may import a file of another. */
function allowed({ from, to, target }: Import): boolean {
  // The bench starts its subjects with the suites' fixtures: nothing of the daemon's inside.
  if (from === to || from === 'daemon' || (from === 'bench' && target.startsWith('conformance/'))) return true;
  if (from === 'lib') return false;
  if (base.has(from)) return to === 'lib' || (from !== 'oci' && to === 'oci');
  // `berth config check` must judge a file exactly as berthd does.
  if (base.has(to)) return !clients.has(from) || to !== 'telemetry';
  // What all doors share.
  if (from === 'doors') return (drivers.has(to) || to === 'engine') && isPort(target);
  if (doors.has(from) && to === 'doors') return true;
  if (drivers.has(from)) return drivers.has(to) && isPort(target);
  if (from === 'engine') return drivers.has(to) && isPort(target);
  // The one step between doors: CRI answers with the URL of a stream.
  if (from === 'cri' && target === 'src/remotecommand/port.ts') return true;
  if (doors.has(from)) return (to === 'engine' && (isPort(target) || target.startsWith('src/engine/model/'))) || (to !== 'engine' && !doors.has(to) && isPort(target));
  return false;
}

test('there is something to look at', () => {
  expect(imports.length).toBeGreaterThan(50);
});

test('every import points down the layers, and between folders only at ports', () => {
  expect(imports.filter((entry) => !allowed(entry)).map(({ file, target }) => `${file} → ${target}`)).toEqual([]);
});

/** What is imported at run time: types are gone by then. */
function valueImports(file: string): readonly string[] {
  const statements = /^(?:import|export) (?!type )[^;]*? from '(\.[^']+)'/gm;
  return [...readFileSync(join(root, file), 'utf8').matchAll(statements)].map((match) => normalize(join(dirname(file), match[1] ?? '')));
}

function edgesBetween(pairs: readonly (readonly [string, string])[]): Edges {
  const edges = new Map<string, Set<string>>();
  for (const [from, to] of pairs) if (from !== to) edges.set(from, (edges.get(from) ?? new Set()).add(to));
  return edges;
}

test('folders form no cycle', () => {
  // Ports are contracts, not code: they are what lets two folders know each other without depending.
  expect(cyclesOf(edgesBetween(imports.filter(({ target }) => !isPort(target)).map(({ from, to }) => [from, to])))).toEqual([]);
});

test('files form no cycle at run time', () => {
  expect(cyclesOf(new Map(sources.map((file) => [file, new Set(valueImports(file))])))).toEqual([]);
});

test('the rooms of a folder form no cycle at run time', () => {
  const roomOf = (file: string): string => file.split('/').slice(0, 3).join('/');
  const pairs = sources
    .filter((file) => file.split('/').length > 3)
    .flatMap((file) => valueImports(file).filter((target) => target.split('/').length > 3 && folderOf(target) === folderOf(file)).map((target) => [roomOf(file), roomOf(target)] as const));
  expect(cyclesOf(edgesBetween(pairs))).toEqual([]);
});

test('the words of Kubernetes are in its door alone', () => {
  const engine = sources.filter((file) => file.startsWith('src/engine/'));
  const native = globSync('native/**/*.{rs,toml}', { cwd: root, exclude: ['native/target'] });
  // What stands below the last cfg(test) of a file is a test.
  const product = (file: string): string => readFileSync(join(root, file), 'utf8').split('#[cfg(test)]')[0] ?? '';
  expect([...engine, ...native].filter((file) => /k8s|kubelet|kubernetes/i.test(product(file)))).toEqual([]);
});

const oneSite = ['@grpc/grpc-js', '@grpc/proto-loader', 'prom-client', '@opentelemetry/api', 'undici', 'ws', 'pino', 'smol-toml'];

test.each(oneSite)('%s is imported in at most one folder of the daemon', (name) => {
  const sites = new Set(sources.filter((file) => !clients.has(folderOf(file)) && specifiers(file).includes(name)).map(folderOf));
  expect(sites.size).toBeLessThanOrEqual(1);
});

test('only the supervisor of the agent starts a process', () => {
  const spawners = sources.filter((file) => !clients.has(folderOf(file)) && specifiers(file).includes('node:child_process'));
  expect(spawners.every((file) => file.startsWith('src/agent/'))).toBe(true);
  expect(spawners.length).toBeLessThanOrEqual(1);
});

test('house style: no default exports, files stay small', () => {
  const text = sources.map((file) => ({ file, body: readFileSync(join(root, file), 'utf8') }));
  expect(text.filter(({ body }) => /^export default/m.test(body)).map(({ file }) => file)).toEqual([]);
  expect(text.filter(({ body }) => body.split('\n').length > 330).map(({ file }) => file)).toEqual([]);
});
