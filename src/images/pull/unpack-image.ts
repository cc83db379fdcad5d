import { BerthError } from '../../lib/errors.ts';
import type { ImageId } from '../../lib/ids.ts';
import { chainIds } from '../../oci/digest.ts';
import type { Snapshotter, SnapshotterName } from '../../snapshotter/port.ts';
import type { ImageComponents } from '../components.ts';
import type { ImageRecord } from '../records/image-record.ts';
import type { LayerPlan } from './image-plan.ts';
import { unpackLayer } from './unpack-layer.ts';

/** Makes snapshots of an image that was unpacked for another snapshotter, or that has lost some; those that are whole are left alone. */
export async function unpackImage(parts: ImageComponents, id: ImageId, name: SnapshotterName, signal: AbortSignal): Promise<void> {
  const record = parts.catalog.record(id);
  if (record === undefined) throw new BerthError('not-found', `image ${id} is not on this node`, { hint: 'pull it first' });
  const snapshotter = parts.snapshotters.of(name);
  const layers = planOf(record);
  const release = parts.leases.hold({ digests: layers.map(({ descriptor }) => descriptor.digest), snapshots: layers.map(({ snapshot }) => snapshot) });
  try {
    for (const layer of layers) await parts.layerLocks.run(layer.snapshot, () => unpackKept({ parts, snapshotter, id }, layer, signal), signal);
  } finally {
    release();
  }
}

interface Unpacking {
  readonly parts: ImageComponents;
  readonly snapshotter: Snapshotter;
  readonly id: ImageId;
}

async function unpackKept(unpacking: Unpacking, layer: LayerPlan, signal: AbortSignal): Promise<void> {
  const { parts, snapshotter } = unpacking;
  const { digest } = layer.descriptor;
  if (snapshotter.isWhole(layer.snapshot)) return;
  const blob = await parts.content.locate(digest);
  if (blob === undefined) throw withoutLayer(unpacking, layer);
  try {
    await unpackLayer({ ...parts, snapshotter }, layer, blob, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw (await parts.blobLocks.run(digest, () => parts.content.verify(digest), signal)) ? error : withoutLayer(unpacking, layer);
  }
}

/** An image that can be used no more is taken off the list, so that whoever pulls what is absent pulls it. */
function withoutLayer({ parts, snapshotter, id }: Unpacking, { snapshot, descriptor }: LayerPlan): BerthError {
  if (snapshotter.stat(snapshot) === undefined) {
    return new BerthError('precondition', `image ${id} is not unpacked for the ${snapshotter.name} snapshotter, and its layers are not kept`, { hint: 'pull it again for the runtime handler, or unset images.discard_unpacked_layers' });
  }
  parts.catalog.remove(id);
  parts.log.warn({ image: id, layer: descriptor.digest }, 'an image has lost the files of a layer and is no longer listed');
  return new BerthError('precondition', `the files of layer ${descriptor.digest} of image ${id} are gone, and so is the layer`, { hint: 'pull the image again' });
}

function planOf({ layers }: ImageRecord): readonly LayerPlan[] {
  const chain = chainIds(layers.map(({ diffId }) => diffId));
  return layers.flatMap(({ digest, diffId, mediaType, size }, index) => {
    const snapshot = chain[index];
    const descriptor = { digest, mediaType, size, annotations: {}, platform: undefined };
    return snapshot === undefined ? [] : [{ descriptor, diffId, snapshot, parent: chain[index - 1] }];
  });
}
