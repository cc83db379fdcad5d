import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { NodeDaemon } from '../fixtures/node-daemon.ts';

/** Directories below the scratch place that have an entry for each pod, container, runtime state or snapshot. */
const directories = ['run/pods', 'run/containers', 'run/s', 'run/runtime/crun', 'state/containers', 'state/snapshots/overlayfs'];

/** What pods and containers keep on disk beside their records. */
export function filesOfPods({ scratch }: Pick<NodeDaemon, 'scratch'>): readonly string[] {
  return directories.flatMap((directory) => {
    const path = join(scratch.dir, directory);
    return existsSync(path) ? readdirSync(path).map((name) => join(directory, name)).toSorted() : [];
  });
}
