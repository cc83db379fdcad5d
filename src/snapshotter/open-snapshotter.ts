import { existsSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Agent } from '../native/port.ts';
import type { StateStore } from '../state/port.ts';
import { OverlaySnapshotter, type OverlayOptions } from './overlay/overlay-snapshotter.ts';
import { Removals } from './overlay/removals.ts';
import { SnapshotDirs } from './overlay/snapshot-dirs.ts';
import { SnapshotTable } from './overlay/snapshot-table.ts';

export interface SnapshotterComponents {
  readonly state: StateStore;
  readonly agent: Pick<Agent, 'removeTree' | 'diskUsage'>;
  readonly clock: Clock;
  readonly log: Pick<Log, 'warn'>;
}

export interface SnapshotterConfig {
  /** Snapshots are kept below `<stateRoot>/snapshots/overlayfs`. */
  readonly stateRoot: string;
  /** Writable layers are never synced: unmounting is quicker, a power cut loses them, and each can be mounted only once. */
  readonly volatile: boolean;
}

/** Snapshots over overlayfs, as the store's records tell. Directories that none of them names stay until cleanup(). */
export function openSnapshotter(components: SnapshotterComponents, { stateRoot, volatile }: SnapshotterConfig): OverlaySnapshotter {
  const { state, agent, clock, log } = components;
  const dirs = new SnapshotDirs(join(stateRoot, 'snapshots', 'overlayfs'));
  const table = new SnapshotTable(state);
  table.load(new Set(dirs.numbers()));
  const removals = new Removals({ agent, log, dirs });
  return new OverlaySnapshotter({ table, dirs, removals, agent, clock, log }, mountOptions(volatile));
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
