import { existsSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Agent } from '../native/port.ts';
import type { StateStore } from '../state/port.ts';
import { OverlaySnapshotter, type OverlayOptions } from './overlay/overlay-snapshotter.ts';
import { NativeSnapshotter } from './native/native-snapshotter.ts';
import { SnapshotterSet } from './snapshotter-set.ts';
import { Removals } from './store/removals.ts';
import { SnapshotDirs } from './store/snapshot-dirs.ts';
import type { StoredParts } from './store/stored-snapshotter.ts';
import { SnapshotTable } from './store/snapshot-table.ts';

interface StoreComponents {
  readonly state: StateStore;
  readonly agent: Pick<Agent, 'removeTree' | 'diskUsage'>;
  readonly clock: Clock;
  readonly log: Pick<Log, 'warn'>;
}

export interface SnapshotterComponents extends StoreComponents {
  readonly agent: Pick<Agent, 'removeTree' | 'diskUsage' | 'copySnapshotTree' | 'mergeLayer'>;
}

export interface SnapshotterConfig {
  /** Snapshots are kept below `<stateRoot>/snapshots`. */
  readonly stateRoot: string;
  /** Writable layers are never synced: unmounting is quicker, a power cut loses them, and each can be mounted only once. */
  readonly volatile: boolean;
}

/** All snapshotters, as the store's records tell. Directories that none of them names stay until cleanup(). */
export function openSnapshotters(components: SnapshotterComponents, config: SnapshotterConfig): SnapshotterSet {
  return new SnapshotterSet([openOverlay(components, config), openNative(components, config)]);
}

/** Snapshots over overlayfs. */
export function openOverlay(components: StoreComponents, { stateRoot, volatile }: SnapshotterConfig): OverlaySnapshotter {
  return new OverlaySnapshotter(openStore(components, join(stateRoot, 'snapshots', 'overlayfs'), ''), mountOptions(volatile));
}

/** Snapshots that are copies. */
export function openNative(components: SnapshotterComponents, { stateRoot }: Pick<SnapshotterConfig, 'stateRoot'>): NativeSnapshotter {
  return new NativeSnapshotter({ ...openStore(components, join(stateRoot, 'snapshots', 'native'), 'native/'), agent: components.agent });
}

function openStore({ state, agent, clock, log }: StoreComponents, root: string, prefix: string): StoredParts {
  const dirs = new SnapshotDirs(root);
  const table = new SnapshotTable(state, prefix);
  table.load(new Set(dirs.numbers()));
  return { table, dirs, removals: new Removals({ agent, log, dirs }), agent, clock, log };
}

function mountOptions(volatile: boolean): OverlayOptions {
  return {
    // The index protects exports over NFS and makes overlayfs refuse layers that were copied or are mounted elsewhere.
    common: existsSync('/sys/module/overlay/parameters/index') ? ['index=off'] : [],
    writable: volatile && kernelHasVolatile() ? ['volatile'] : [],
  };
}

/** Linux 5.10 brought it. */
function kernelHasVolatile(): boolean {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  return major > 5 || (major === 5 && minor >= 10);
}
