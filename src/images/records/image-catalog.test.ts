import { beforeEach, expect, test } from 'vitest';
import type { ImageId } from '../../lib/ids.ts';
import { digestOf } from '../../oci/digest.ts';
import type { RecordKind, StateStore } from '../../state/port.ts';
import { ImageCatalog } from './image-catalog.ts';
import type { ImageRecord } from './image-record.ts';

let stored: Map<string, unknown>;
let quarantined: string[];
let catalog: ImageCatalog;

const state: StateStore = {
  rebooted: false,
  bootSeen: () => undefined,
  load: (kind: RecordKind) => (kind === 'image' ? [...stored].map(([id, value]) => ({ id, value })) : []),
  put: (_kind, id, value) => stored.set(id, JSON.parse(JSON.stringify(value))),
  delete: (_kind, id) => stored.delete(id),
  quarantine: (_kind, id) => quarantined.push(id),
  transaction: (work) => {
    work();
  },
  close: () => undefined,
};

const idOf = (name: string): ImageId => digestOf(name) as string as ImageId;
const record = (name: string, change: Partial<ImageRecord> = {}): ImageRecord => ({
  id: idOf(name),
  tags: [],
  digests: [],
  manifestDigest: digestOf(`${name} manifest`),
  documents: [digestOf(`${name} manifest`)],
  size: 1,
  layers: [{ digest: digestOf('l'), diffId: digestOf('d'), mediaType: 'm', size: 2 }],
  config: { user: '', env: [], entrypoint: [], cmd: [], workingDir: '', volumes: [], stopSignal: '', labels: {} },
  createdAtNs: '5',
  ...change,
});
const open = (): ImageCatalog => {
  const opened = new ImageCatalog({ state, defaultRegistry: 'registry.example', pinned: ['pause'], defect: () => undefined });
  opened.load();
  return opened;
};
const tag = 'registry.example/app:latest';

test('names that an earlier version kept are read as they are spelt now', () => {
  const digest = digestOf('index');
  stored.set(idOf('old'), record('old', { tags: ['docker.io/nginx:1', 'index.docker.io/team/app:1'], digests: [`docker.io/nginx@${digest}`] }));
  stored.set(idOf('new'), record('new', { tags: ['docker.io/library/redis:1'] }));
  stored.set(idOf('loser'), record('loser', { tags: ['docker.io/redis:1'] }));
  const opened = open();
  expect(opened.find('docker.io/nginx:1')).toMatchObject({ repoTags: ['docker.io/library/nginx:1', 'docker.io/team/app:1'], repoDigests: [`docker.io/library/nginx@${digest}`] });
  expect(opened.find('index.docker.io/library/nginx:1')?.id).toBe(idOf('old'));
  expect([opened.find('docker.io/redis:1')?.id, opened.find(idOf('loser'))?.repoTags]).toEqual([idOf('new'), []]);
  expect(quarantined).toEqual([]);
});

beforeEach(() => {
  stored = new Map();
  quarantined = [];
  catalog = open();
});

test('what was added is found by every name, now and after a restart', () => {
  const digest = `registry.example/app@${digestOf('index')}`;
  catalog.add(record('a', { tags: [tag], digests: [digest] }));
  for (const opened of [catalog, open()]) {
    for (const text of ['app', 'app:latest', tag, digest, idOf('a'), idOf('a').slice(7), idOf('a').slice(0, 15), idOf('a').slice(7, 10)]) {
      expect(opened.find(text)?.id, text).toBe(idOf('a'));
    }
    for (const text of ['', 'App!', 'app:other', 'other.example/app', `registry.example/app@${digestOf('x')}`]) expect(opened.find(text), text).toBeUndefined();
  }
});

test('a name beats an id that begins alike, and an ambiguous prefix finds nothing', () => {
  const names = Array.from({ length: 40 }, (_, index) => String(index));
  for (const name of names) catalog.add(record(name));
  const twice = names.map((name) => idOf(name)).find((id, _, all) => all.filter((other) => other[7] === id[7]).length > 1) ?? '';
  expect(catalog.find(twice[7] ?? '')).toBeUndefined();
  const hex = idOf('0').slice(7, 19);
  catalog.add(record('named', { tags: [`registry.example/${hex}:latest`] }));
  expect(catalog.find(hex)?.id).toBe(idOf('named'));
});

test('a tag moves, and the old image stays without it', () => {
  catalog.add(record('old', { tags: [tag], digests: ['registry.example/app@sha256:1'] }));
  catalog.add(record('new', { tags: [tag] }));
  expect(catalog.find(tag)?.id).toBe(idOf('new'));
  expect(open().find(idOf('old'))).toMatchObject({ repoTags: [], repoDigests: ['registry.example/app@sha256:1'] });
});

test('adding an image again adds its names and keeps its age', () => {
  catalog.add(record('a', { tags: [tag] }));
  const again = catalog.add(record('a', { tags: ['registry.example/b:1'], documents: [digestOf('other')], createdAtNs: '9' }));
  expect(again).toMatchObject({ repoTags: [tag, 'registry.example/b:1'], createdAtNs: 5n });
  expect([...catalog.records()][0]?.documents).toHaveLength(2);
});

test('a removed image is gone with all its names', () => {
  catalog.add(record('a', { tags: [tag] }));
  catalog.remove(idOf('a'));
  expect(catalog.find(tag)).toBeUndefined();
  expect(catalog.list()).toEqual([]);
  expect(stored.size).toBe(0);
});

test('pinning goes by name, however short it is written', () => {
  expect(catalog.add(record('a', { tags: ['registry.example/pause:latest'] })).pinned).toBe(true);
  expect(catalog.add(record('b', { tags: [tag] })).pinned).toBe(false);
});

test.each([
  ['no object', 5],
  ['no digest', { ...record('a'), manifestDigest: 'x' }],
  ['a layer that is none', { ...record('a'), layers: [5] }],
  ['a user that would fill every list', { ...record('a'), config: { ...record('a').config, user: 'u'.repeat(257) } }],
  ['a time that is none', { ...record('a'), createdAtNs: 'yesterday' }],
])('an unreadable record is quarantined: %s', (_name, value) => {
  catalog.add(record('good'));
  stored.set('bad', value);
  expect(open().list()).toHaveLength(1);
  expect(quarantined).toEqual(['bad']);
});
