import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BerthError } from '../../src/lib/errors.ts';
import type { SnapshotKey } from '../../src/lib/ids.ts';
import type { FilesystemMount, Usage } from '../../src/native/port.ts';
import type { SnapshotInfo, Snapshotter } from '../../src/snapshotter/port.ts';

interface Entry {
  readonly info: SnapshotInfo;
  readonly dir: string;
}

/** Snapshots as directories, without mounts. */
export class PlainSnapshotter implements Snapshotter {
  readonly name = 'plain';
  readonly #root: string;
  readonly #entries = new Map<SnapshotKey, Entry>();
  #next = 0;

  constructor(root: string) {
    this.#root = root;
  }

  async prepare(key: SnapshotKey, parent: SnapshotKey | undefined): Promise<readonly FilesystemMount[]> {
    if (this.#entries.has(key)) throw new BerthError('already-exists', `snapshot ${key}`);
    if (parent !== undefined && this.#entries.get(parent)?.info.kind !== 'committed') throw new BerthError('not-found', `snapshot ${parent}`);
    const dir = join(this.#root, String((this.#next += 1)));
    this.#entries.set(key, { dir, info: { key, kind: 'active', parent, createdAtNs: 0n, usage: undefined } });
    await mkdir(dir, { recursive: true });
    return [];
  }

  layerDirs(key: SnapshotKey): { readonly dir: string; readonly parents: readonly string[] } {
    const entry = this.#get(key);
    const parents: string[] = [];
    for (let parent = entry.info.parent; parent !== undefined; parent = this.#get(parent).info.parent) parents.push(this.#get(parent).dir);
    return { dir: entry.dir, parents };
  }

  async commit(from: SnapshotKey, key: SnapshotKey, usage: Usage): Promise<void> {
    const entry = this.#get(from);
    if (this.#entries.has(key)) throw new BerthError('already-exists', `snapshot ${key}`);
    this.#entries.delete(from);
    this.#entries.set(key, { dir: entry.dir, info: { ...entry.info, key, kind: 'committed', usage } });
  }

  mounts(): readonly FilesystemMount[] {
    return [];
  }

  stat(key: SnapshotKey): SnapshotInfo | undefined {
    return this.#entries.get(key)?.info;
  }

  list(): readonly SnapshotInfo[] {
    return [...this.#entries.values()].map(({ info }) => info);
  }

  async usage(key: SnapshotKey): Promise<Usage> {
    return this.#get(key).info.usage ?? { bytes: 0, inodes: 0 };
  }

  async remove(key: SnapshotKey): Promise<void> {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    if (this.list().some(({ parent }) => parent === key)) throw new BerthError('precondition', `snapshot ${key} is a parent`);
    this.#entries.delete(key);
    await rm(entry.dir, { recursive: true, force: true });
  }

  async cleanup(): Promise<number> {
    return 0;
  }

  #get(key: SnapshotKey): Entry {
    const entry = this.#entries.get(key);
    if (entry === undefined || !existsSync(entry.dir)) throw new BerthError('not-found', `snapshot ${key}`);
    return entry;
  }
}
