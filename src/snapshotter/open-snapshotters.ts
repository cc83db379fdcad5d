import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import { Places } from '../lib/places.ts';
import type { Log } from '../lib/log.ts';
import type { Agent } from '../agent/port.ts';
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
  const removal = oneRemoval();
  return new SnapshotterSet([openOverlay(components, config, removal), openNative(components, config, removal)]);
}

/** Snapshots over overlayfs. */
export function openOverlay(components: StoreComponents, { stateRoot, volatile }: SnapshotterConfig, removal = oneRemoval()): OverlaySnapshotter {
  const place = { root: join(stateRoot, 'snapshots', 'overlayfs'), prefix: '' };
  return new OverlaySnapshotter(openStore(components, place, removal), mountOptions(volatile));
}

/** Snapshots that are copies. */
export function openNative(components: SnapshotterComponents, { stateRoot }: Pick<SnapshotterConfig, 'stateRoot'>, removal = oneRemoval()): NativeSnapshotter {
  const place = { root: join(stateRoot, 'snapshots', 'native'), prefix: 'native/' };
  return new NativeSnapshotter({ ...openStore(components, place, removal), agent: components.agent });
}

/** Deleting is disk work that nobody waits for: it leaves the agent's other workers for trees to those who do wait. */
function oneRemoval(): Places {
  return new Places(1);
}

function openStore({ state, agent, clock, log }: StoreComponents, { root, prefix }: { readonly root: string; readonly prefix: string }, removal: Places): StoredParts {
  const dirs = new SnapshotDirs(root);
  const table = new SnapshotTable(state, prefix);
  table.load(new Set(dirs.numbers()));
  return { table, dirs, removals: new Removals({ agent, log, dirs, places: removal }), agent, clock, log };
}

function mountOptions(volatile: boolean): OverlayOptions {
  return {
    // The index protects exports over NFS and makes overlayfs refuse layers that were copied or are mounted elsewhere.
    common: existsSync('/sys/module/overlay/parameters/index') ? ['index=off'] : [],
    writable: volatile ? ['volatile'] : [],
  };
}
