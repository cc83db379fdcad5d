import type { ContainerId, PodId, SnapshotKey } from '../../lib/ids.ts';
import { volumePrefix } from '../spec/image-volumes.ts';
import type { EngineParts } from '../parts.ts';

const containerKey = /^[0-9a-f]{64}$/;
const volumeKey = new RegExp(`^${volumePrefix}([0-9a-f]{64})-`);

/** The engine's own snapshots whose container or pod is gone. Those of images are the image service's. */
export function lostSnapshots(parts: EngineParts): readonly SnapshotKey[] {
  return parts.snapshotter.list().flatMap(({ key, kind }) => (kind === 'active' && isLost(parts, key) ? [key] : []));
}

function isLost({ containers, pods }: EngineParts, key: SnapshotKey): boolean {
  if (containerKey.test(key)) return containers.peek(key as string as ContainerId) === undefined;
  const podId = volumeKey.exec(key)?.[1];
  // A stopped pod's volumes are unmounted, and it never starts a container again.
  return podId !== undefined && pods.peek(podId as PodId)?.state !== 'ready';
}
