import { existsSync } from 'node:fs';
import type { ContainerId, SnapshotKey } from '../../lib/ids.ts';
import type { Usage } from '../../agent/port.ts';
import type { EngineComponents } from '../components.ts';
import type { EnginePaths } from '../paths.ts';

/** What a container has on the node's disk: its writable layer with the copies of its image's VOLUMEs, which it fills as well. */
export async function writtenUsage({ snapshotter, agent }: Pick<EngineComponents, 'snapshotter' | 'agent'>, paths: EnginePaths, id: ContainerId, signal: AbortSignal): Promise<Usage> {
  const volumes = paths.volumes(id);
  const [layer, copies] = await Promise.all([snapshotter.usage(id as string as SnapshotKey, signal), existsSync(volumes) ? agent.diskUsage([volumes], signal) : []]);
  return copies.reduce((sum, { bytes, inodes }) => ({ bytes: sum.bytes + bytes, inodes: sum.inodes + inodes }), layer);
}
