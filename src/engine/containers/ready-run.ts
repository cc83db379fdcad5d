import { BerthError } from '../../lib/errors.ts';
import type { Waterfall } from '../../lib/waterfall.ts';
import type { Container } from '../model/container.ts';
import type { EngineParts } from '../parts.ts';
import { containerFailed } from '../plugins/container-hooks.ts';
import { readyOwnPod } from '../sandboxes/own-pod.ts';
import { hostSources } from '../spec/binds.ts';
import { rootfsMounts } from '../spec/rootfs-mounts.ts';
import { endTask } from './end-task.ts';
import { prepareRun } from './prepare-run.ts';

/** Makes ready what a run outside a given pod needs: no trace of the run before, its own pod, a new bundle. */
export async function readyRun(parts: EngineParts, container: Container, waterfall: Waterfall, signal: AbortSignal): Promise<Container> {
  const { id, place, podId, config, imageId } = container;
  await endTask(parts, id, signal);
  await parts.agent.removeTree(parts.paths.bundle(id), signal);
  const pod = place === 'own' ? await readyOwnPod(parts, podId, waterfall, signal) : parts.pods.required(podId);
  const image = parts.images.find(imageId);
  if (image === undefined) throw new BerthError('not-found', `image ${imageId} of container ${id} is not on this node any more`, { hint: 'pull it, or create the container anew' });
  const rootfs = rootfsMounts(parts, pod, container);
  try {
    const { user, resources } = await prepareRun(parts, { creation: { id, pod, config, image, waterfall }, container, rootfs, sources: hostSources(parts, config.mounts, signal) }, signal);
    parts.ledger.creations.delete(id);
    return parts.containers.update(id, { user, resources });
  } catch (error) {
    await containerFailed(parts, id);
    throw error;
  }
}
