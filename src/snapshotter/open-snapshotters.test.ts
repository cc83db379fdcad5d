import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isKind } from '../lib/errors.ts';
import type { SnapshotKey } from '../lib/ids.ts';
import type { Usage } from '../agent/port.ts';
import type { Durability, RecordKind, StateStore } from '../state/port.ts';
import { openOverlay, openSnapshotters } from './open-snapshotters.ts';
import type { OverlaySnapshotter } from './overlay/overlay-snapshotter.ts';

/** A store that remembers what it was told, with the durability asked for. */
class RecordingState implements StateStore {
  readonly rebooted = false;
  readonly values = new Map<string, unknown>();
  readonly calls: string[] = [];
  readonly quarantined: string[] = [];
  full = false;

  bootSeen(): void {}

  load(): readonly { readonly id: string; readonly value: unknown }[] {
    return [...this.values].map(([id, value]) => ({ id, value }));
  }

  put(_kind: RecordKind, id: string, value: unknown, durability?: Durability): void {
    if (this.full) throw new Error('full');
    this.calls.push(`put ${id} ${durability}`);
    this.values.set(id, JSON.parse(JSON.stringify(value)));
  }

  delete(_kind: RecordKind, id: string, durability?: Durability): void {
    this.calls.push(`delete ${id} ${durability}`);
    this.values.delete(id);
  }

  quarantine(_kind: RecordKind, id: string, reason: string): void {
    this.quarantined.push(`${id}: ${reason}`);
    this.values.delete(id);
  }

  transaction(work: () => void): void {
    this.calls.push('begin');
    work();
    this.calls.push('end');
  }

  close(): void {
    this.values.clear();
  }
}

let root: string;
let state: RecordingState;
let nowMs: number;
let walks: number;
let removed: string[];
let failRemoval: boolean;
let warnings: string[];
let snapshotter: OverlaySnapshotter;

const key = (name: string): SnapshotKey => name as SnapshotKey;
const measured: Usage = { bytes: 10, inodes: 2 };
const layers = (): string => join(root, 'snapshots/overlayfs');

const agent = {
  removeTree: async (path: string): Promise<void> => {
    if (failRemoval) throw new Error('busy');
    removed.push(path);
    await rm(path, { recursive: true });
  },
  diskUsage: async (paths: readonly string[]): Promise<readonly Usage[]> => {
    walks += 1;
    return paths.map(() => ({ bytes: 1000 * walks, inodes: walks }));
  },
};

function open(volatile = true): OverlaySnapshotter {
  const clock = { nowNs: () => 5n, monotonicMs: () => nowMs };
  const log = { warn: (_: object, message: string): unknown => warnings.push(message) };
  snapshotter = openOverlay({ state, agent, clock, log }, { stateRoot: root, volatile });
  return snapshotter;
}

async function layer(name: string, parent?: string): Promise<void> {
  await snapshotter.prepare(key(`unpack-${name}`), parent === undefined ? undefined : key(parent));
  await snapshotter.commit(key(`unpack-${name}`), key(name), measured);
}

async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(() => undefined, (error: unknown) => error);
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'berth-snapshots-'));
  state = new RecordingState();
  nowMs = 0;
  walks = 0;
  removed = [];
  failRemoval = false;
  warnings = [];
  open();
});

afterEach(async () => {
  await snapshotter.settled();
  rmSync(root, { recursive: true });
});

test('layers wait for the disk, what containers write does not', async () => {
  await layer('a');
  await snapshotter.prepare(key('c'), key('a'));
  await snapshotter.remove(key('c'));
  await snapshotter.remove(key('a'));
  expect(state.calls).toEqual([
    'put unpack-a process',
    'begin',
    'delete unpack-a process',
    'put a power',
    'end',
    'put c process',
    'delete c process',
    'delete a power',
  ]);
});

test('mounts: bind for one layer, overlay for several, topmost first', async () => {
  expect(await snapshotter.prepare(key('unpack-a'), undefined)).toEqual([{ type: 'bind', source: `${layers()}/1/fs`, options: ['rw', 'rbind'] }]);
  await snapshotter.commit(key('unpack-a'), key('a'), measured);
  expect(snapshotter.mounts(key('a'))).toEqual([{ type: 'bind', source: `${layers()}/1/fs`, options: ['ro', 'rbind'] }]);
  await layer('b', 'a');
  const common = existsSync('/sys/module/overlay/parameters/index') ? ['index=off'] : [];
  expect(snapshotter.mounts(key('b'))).toEqual([{ type: 'overlay', source: 'overlay', options: [...common, 'ro', `lowerdir=${layers()}/2/fs:${layers()}/1/fs`] }]);
  const writable = [`workdir=${layers()}/3/work`, `upperdir=${layers()}/3/fs`, `lowerdir=${layers()}/2/fs:${layers()}/1/fs`];
  expect(await snapshotter.prepare(key('c'), key('b'))).toEqual([{ type: 'overlay', source: 'overlay', options: [...common, 'volatile', ...writable] }]);
  expect(open(false).mounts(key('c'))).toEqual([{ type: 'overlay', source: 'overlay', options: [...common, ...writable] }]);
});

test('seventy layers fit in the page that mount options may have', async () => {
  await layer('l0');
  for (let index = 1; index < 70; index += 1) await layer(`l${index}`, `l${index - 1}`);
  const [mount] = await snapshotter.prepare(key('c'), key('l69'));
  expect(mount?.options.at(-1)?.split(':')).toHaveLength(70);
  const longRoot = '/var/lib/berth'.length - root.length;
  expect((mount?.options.join(',').length ?? 0) + 72 * longRoot).toBeLessThan(4096);
});

test('the root of a snapshot looks like that of its parent', async () => {
  const { dir } = (await snapshotter.prepare(key('unpack-a'), undefined), snapshotter.layerDirs(key('unpack-a')));
  expect(statSync(dir).mode & 0o7777).toBe(0o755);
  chownSync(dir, 12, 34);
  chmodSync(dir, 0o2711);
  await snapshotter.commit(key('unpack-a'), key('a'), measured);
  await snapshotter.prepare(key('c'), key('a'));
  const stat = statSync(snapshotter.layerDirs(key('c')).dir);
  expect([stat.mode & 0o7777, stat.uid, stat.gid]).toEqual([0o2711, 12, 34]);
});

test('records come back after a restart', async () => {
  await layer('a');
  await layer('b', 'a');
  await snapshotter.prepare(key('c'), key('b'));
  const before = snapshotter.list();
  expect(open().list()).toEqual(before);
  expect(isKind(await failure(snapshotter.remove(key('b'))), 'precondition')).toBe(true);
  await snapshotter.prepare(key('d'), key('b'));
  expect(readdirSync(layers()).toSorted()).toEqual(['1', '2', '3', '4']);
  expect(state.quarantined).toEqual([]);
});

test('a parent stays until the last of its children is gone', async () => {
  await layer('a');
  for (const name of ['b', 'c', 'd']) await snapshotter.prepare(key(name), key('a'));
  for (const name of ['c', 'b', 'd']) {
    expect(isKind(await failure(snapshotter.remove(key('a'))), 'precondition')).toBe(true);
    await snapshotter.remove(key(name));
  }
  await snapshotter.remove(key('a'));
  expect(snapshotter.list()).toEqual([]);
});

test('layers that lost their files are quarantined with what stands on them', async () => {
  await layer('a');
  await layer('b', 'a');
  await layer('other');
  await snapshotter.prepare(key('c'), key('b'));
  rmSync(join(layers(), '1'), { recursive: true });
  state.values.set('broken', { kind: 'active' });
  expect(open().list().map((info) => info.key)).toEqual(['other']);
  expect(state.quarantined).toHaveLength(3);
  expect(state.quarantined.join('\n')).toContain('a: its directory 1 is gone');
  expect([...state.values.keys()]).toEqual(['other']);
});

test('a writable snapshot whose removal a power cut undid is forgotten quietly', async () => {
  await snapshotter.prepare(key('c'), undefined);
  rmSync(join(layers(), '1'), { recursive: true });
  expect(open().list()).toEqual([]);
  expect([state.quarantined, [...state.values.keys()]]).toEqual([[], []]);
});

test('two records never share a directory', async () => {
  await layer('a');
  state.values.set('copy', state.values.get('a'));
  expect(open().list()).toHaveLength(1);
  expect(state.quarantined).toHaveLength(1);
});

test('parents that go round in a circle do not stop the start', async () => {
  await layer('a');
  await layer('b');
  state.values.set('a', { ...(state.values.get('a') as object), parent: 'b' });
  state.values.set('b', { ...(state.values.get('b') as object), parent: 'a' });
  expect(open().list()).toEqual([]);
});

test('a record that cannot be written leaves no directory', async () => {
  state.full = true;
  expect(await failure(snapshotter.prepare(key('c'), undefined))).toBeInstanceOf(Error);
  await snapshotter.settled();
  expect([snapshotter.list(), readdirSync(layers())]).toEqual([[], []]);
});

test('usage of a writable snapshot is walked once for all askers, and again after five seconds', async () => {
  await snapshotter.prepare(key('c'), undefined);
  const both = await Promise.all([snapshotter.usage(key('c')), snapshotter.usage(key('c'))]);
  expect(both.map(({ bytes }) => bytes)).toEqual([1000, 1000]);
  nowMs += 4999;
  expect((await snapshotter.usage(key('c'))).bytes).toBe(1000);
  nowMs += 1;
  expect((await snapshotter.usage(key('c'))).bytes).toBe(2000);
  await layer('a');
  expect(await snapshotter.usage(key('a'))).toEqual(measured);
  expect(walks).toBe(2);
});

test('an asker who leaves does not wait for the walk', async () => {
  await snapshotter.prepare(key('c'), undefined);
  const reason = new Error('left');
  expect(await failure(snapshotter.usage(key('c'), AbortSignal.abort(reason)))).toBe(reason);
});

test('cleanup takes what no record names, also what an earlier removal left', async () => {
  await layer('a');
  await snapshotter.prepare(key('c'), key('a'));
  failRemoval = true;
  await snapshotter.remove(key('c'));
  await snapshotter.settled();
  expect(warnings).toHaveLength(1);
  failRemoval = false;
  mkdirSync(join(layers(), '77/fs'), { recursive: true });
  writeFileSync(join(layers(), 'not-ours'), '');
  expect(await snapshotter.cleanup()).toBe(2);
  expect(removed).toEqual([join(layers(), '2'), join(layers(), '77')]);
  expect(await snapshotter.cleanup()).toBe(0);
  expect(readdirSync(layers()).toSorted()).toEqual(['1', 'not-ours']);
});

test('numbers of lost records are not given out again while their directories exist', async () => {
  await layer('a');
  state.values.clear();
  await open().prepare(key('c'), undefined);
  expect(readdirSync(layers()).toSorted()).toEqual(['1', '2']);
});

test('a directory that is being removed is not removed twice', async () => {
  await snapshotter.prepare(key('c'), undefined);
  await snapshotter.remove(key('c'));
  expect(await snapshotter.cleanup()).toBe(0);
  await snapshotter.settled();
  expect(removed).toEqual([join(layers(), '1')]);
});

test('one directory is removed at a time, over all snapshotters: there must be room in the agent for what somebody waits for', async () => {
  let running = 0;
  let most = 0;
  const unused = async (): Promise<void> => {};
  const removeTree = async (path: string): Promise<void> => {
    running += 1;
    most = Math.max(most, running);
    await rm(path, { recursive: true });
    running -= 1;
  };
  const clock = { nowNs: () => 5n, monotonicMs: () => nowMs };
  const components = { state: new RecordingState(), agent: { ...agent, removeTree, copySnapshotTree: unused, mergeLayer: unused }, clock, log: { warn: () => undefined } };
  const set = openSnapshotters(components, { stateRoot: join(root, 'set'), volatile: true });
  for (const [number, each] of [...set.all, ...set.all].entries()) await each.prepare(key(`s-${number}`), undefined);
  await Promise.all(set.list().map((snapshot) => set.remove(snapshot.key)));
  await set.settled();
  expect([most, set.list()]).toEqual([1, []]);
});
