import { randomBytes } from 'node:crypto';
import { asBerthError, BerthError } from '../../lib/errors.ts';
import type { SnapshotKey } from '../../lib/ids.ts';
import type { ImageComponents } from '../components.ts';
import type { Snapshotter } from '../../snapshotter/port.ts';
import { withRetry } from '../registry/backoff.ts';
import type { LayerPlan } from './image-plan.ts';

/** Active snapshots that hold a layer half unpacked have keys that begin so. */
export const unpackPrefix = 'unpack-';

interface Parts extends Pick<ImageComponents, 'agent' | 'clock' | 'observer' | 'log'> {
  /** Where the layer's snapshot is made. */
  readonly snapshotter: Snapshotter;
}

/** Makes the layer's snapshot from its blob. A failure leaves nothing; an agent that restarts meanwhile is waited for. */
export async function unpackLayer(parts: Parts, layer: LayerPlan, blob: string, signal: AbortSignal): Promise<void> {
  const startMs = parts.clock.monotonicMs();
  try {
    const bytes = await withRetry(() => unpackOnce(parts, layer, blob, signal), signal);
    parts.observer.layerUnpacked(bytes, (parts.clock.monotonicMs() - startMs) / 1000);
  } catch (error) {
    signal.throwIfAborted();
    const { kind, message } = asBerthError(error, 'unpack');
    throw new BerthError(kind, `cannot unpack layer ${layer.descriptor.digest}: ${message}`, { cause: error });
  }
}

async function unpackOnce(parts: Parts, layer: LayerPlan, blob: string, signal: AbortSignal): Promise<number> {
  const { snapshotter, agent } = parts;
  const key = `${unpackPrefix}${layer.snapshot}-${randomBytes(6).toString('hex')}` as SnapshotKey;
  try {
    await snapshotter.prepare(key, layer.parent, signal);
    const { dir, parents } = snapshotter.layerDirs(key);
    const { mediaType } = layer.descriptor;
    // Without the signal: the agent cannot stop half way, and the directory must not be removed under its hands.
    const result = await agent.unpack({ id: key, blob, mediaType, diffId: layer.diffId, dir, parents });
    signal.throwIfAborted();
    await snapshotter.commit(key, layer.snapshot, { bytes: result.diskBytes, inodes: result.inodes });
    return result.bytes;
  } catch (error) {
    await discard(parts, key);
    throw error;
  }
}

async function discard({ snapshotter, log }: Parts, key: SnapshotKey): Promise<void> {
  try {
    await snapshotter.remove(key);
  } catch (error) {
    log.warn({ snapshot: key, err: error }, 'cannot remove a half unpacked layer; it goes at the next start');
  }
}
