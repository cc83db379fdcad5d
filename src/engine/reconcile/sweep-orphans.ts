import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import type { ContainerId, PodId, SnapshotKey } from '../../lib/ids.ts';
import { endShim } from '../containers/end-shim.ts';
import { releaseContainer } from '../containers/release-container.ts';
import type { EngineParts } from '../parts.ts';
import { isPinned } from '../sandboxes/is-pinned.ts';
import { forEach } from './for-each.ts';
import { lostSnapshots } from './lost-snapshots.ts';

const buryMs = 10_000;

/** What no record names: left by a crash between a step and its record, or by a record that was set aside. */
export interface Orphans {
  readonly containers: readonly ContainerId[];
  readonly pods: readonly PodId[];
  readonly snapshots: readonly SnapshotKey[];
}

/** Looks for orphans. Only before any door opens: later, what is being made has no record either. */
export async function findOrphans(parts: EngineParts): Promise<Orphans> {
  const { paths } = parts;
  const [bundles, containers, pods] = await Promise.all([namesIn(paths.bundles), namesIn(paths.containers), namesIn(paths.pods)]);
  return {
    containers: ([...new Set([...bundles, ...containers])] as ContainerId[]).filter((id) => parts.containers.peek(id) === undefined),
    pods: (pods as PodId[]).filter((id) => parts.pods.peek(id) === undefined),
    snapshots: lostSnapshots(parts),
  };
}

/** Cleans up orphans: processes, networks, mounts, files. */
export async function sweepOrphans(parts: EngineParts, { containers, pods, snapshots }: Orphans): Promise<void> {
  await forEach(parts, 'burying a container without a record', containers, (id) => buryContainer(parts, id));
  await forEach(parts, 'burying a pod without a record', pods, (id) => buryPod(parts, id));
  await forEach(parts, 'removing a snapshot without an owner', snapshots, (key) => parts.snapshotter.remove(key));
  await parts.snapshotter.cleanup();
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

async function buryContainer(parts: EngineParts, id: ContainerId): Promise<void> {
  parts.log.info({ container: id }, 'what is left of a container without a record is removed');
  const signal = AbortSignal.timeout(buryMs);
  if (existsSync(parts.paths.bundle(id))) await endShim(parts, { id, handler: parts.config.defaultHandler }, signal);
  await releaseContainer(parts, id, signal);
}

/** The network is detached with what is known: id and namespace. That is what plugins key their addresses by. */
async function buryPod(parts: EngineParts, id: PodId): Promise<void> {
  parts.log.info({ pod: id }, 'what is left of a pod without a record is removed');
  const { agent, network, paths } = parts;
  const signal = AbortSignal.timeout(buryMs);
  const pin = paths.pin(id, 'net');
  if (isPinned(pin)) await network.detach({ id, netnsPath: pin, args: { IgnoreUnknown: '1' }, portMappings: [], capabilities: {} }, undefined, signal);
  await agent.releaseNamespaces({ dir: paths.pinDir(id), pausePid: 0 }, signal);
  await agent.unmount(paths.pod(id), signal);
  await agent.removeTree(paths.pod(id), signal);
}
