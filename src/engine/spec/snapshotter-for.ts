import type { Image } from '../../images/port.ts';
import { chainIds } from '../../oci/digest.ts';
import type { Snapshotter, SnapshotterName } from '../../snapshotter/port.ts';
import type { EngineConfig } from '../config.ts';
import type { Pod } from '../model/pod.ts';
import type { EngineParts } from '../parts.ts';
import { handlerOf } from './handler-of.ts';

export function snapshotterName({ snapshotters }: Pick<EngineConfig, 'snapshotters'>, handler: string): SnapshotterName {
  return snapshotters[handler] ?? 'overlay';
}

/** Where the pod's runtime handler keeps file systems. An image that was pulled for another handler, or that has lost layers, is unpacked there first. */
export async function snapshotterFor(parts: EngineParts, pod: Pod, image: Image, signal: AbortSignal): Promise<Snapshotter> {
  const name = snapshotterName(parts.config, handlerOf(parts, pod));
  const snapshotter = parts.snapshotter.of(name);
  const isThere = chainIds(image.layers.map(({ diffId }) => diffId)).every((key) => snapshotter.isWhole(key));
  if (!isThere) await parts.images.unpack(image.id, name, signal);
  return snapshotter;
}
