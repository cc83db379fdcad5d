import { isKind } from '../../lib/errors.ts';
import type { Digest } from '../../lib/ids.ts';
import type { Image } from '../port.ts';
import type { ImageComponents } from '../components.ts';
import type { ImageRecord } from '../records/image-record.ts';
import { isTransient } from '../registry/backoff.ts';
import { needsOf, type ImagePlan } from './image-plan.ts';
import { installLayers, type InstallContext } from './install-layers.ts';

export interface ImageNames {
  readonly tags: readonly string[];
  readonly digests: readonly string[];
  /** Under which a later attempt is recognised as the same work. */
  readonly work: string;
}

/**
 * Makes the planned image exist under its names: documents and snapshots first, the record last, so that nothing half done
 * is ever listed. After a failure in passing the parts stay for the next attempt; otherwise they are free to be collected.
 */
export async function installImage(context: InstallContext, plan: ImagePlan, names: ImageNames): Promise<Image> {
  const { parts, progress } = context;
  const pull = parts.unfinished.begin(names.work, needsOf(plan));
  const release = parts.leases.hold(needsOf(plan));
  try {
    progress.plan(plan.layers);
    // The disk syncs the documents while layers come.
    await both(installLayers(context, plan), keepDocuments(parts, plan));
    const image = parts.catalog.add(toRecord(parts, plan, names));
    parts.unfinished.complete(names.work);
    return image;
  } catch (error) {
    if (isWorthResuming(error, context.signal)) parts.unfinished.interrupted(pull);
    else parts.unfinished.end(pull);
    throw error;
  } finally {
    release();
  }
}

/** Waits for both even when one fails: neither may work on once the leases are gone. */
async function both(...work: readonly Promise<void>[]): Promise<void> {
  const failure = (await Promise.allSettled(work)).find((result) => result.status === 'rejected');
  if (failure !== undefined) throw failure.reason;
}

/** What a caller gave up or a registry served wrongly is not worth the disk; what the end of the daemon cut off is. */
function isWorthResuming(error: unknown, signal: AbortSignal): boolean {
  if (signal.aborted) return isKind(signal.reason, 'unavailable');
  return isTransient(error) || isKind(error, 'registry') || isKind(error, 'timeout');
}

async function keepDocuments({ content, blobLocks }: ImageComponents, plan: ImagePlan): Promise<void> {
  await Promise.all(plan.documents.map(({ digest, bytes }) => blobLocks.run(digest, () => content.put(digest, bytes))));
}

function toRecord(parts: ImageComponents, plan: ImagePlan, names: ImageNames): ImageRecord {
  return {
    id: plan.id,
    tags: names.tags,
    digests: names.digests,
    manifestDigest: plan.manifestDigest,
    documents: documentsOf(plan),
    size: plan.size,
    layers: plan.layers.map(({ descriptor: { digest, mediaType, size }, diffId }) => ({ digest, diffId, mediaType, size })),
    config: plan.config.runtime,
    createdAtNs: parts.clock.nowNs().toString(),
  };
}

function documentsOf(plan: ImagePlan): readonly Digest[] {
  return plan.documents.map(({ digest }) => digest);
}
