import type { PodId } from '../../lib/ids.ts';
import type { EngineParts } from '../parts.ts';
import { attachment } from './attachment.ts';
import { networkNamespace } from './network-namespace.ts';
import { pauseCgroups, removePauseCgroups } from './pause-cgroups.ts';
import { releaseImageVolumes } from '../spec/image-volumes.ts';

/**
 * Gives back all that a pod holds, as far as it holds it: network, namespaces, mounts, files. Idempotent; the one undo
 * for a failed run, a stop, a removal and recovery. A failure leaves the rest to the next call.
 */
export async function releasePod(parts: EngineParts, id: PodId, signal: AbortSignal): Promise<void> {
  await releasePodRuntime(parts, id, signal);
  await parts.agent.unmount(parts.paths.hostFiles(id), signal);
  await parts.agent.removeTree(parts.paths.pod(id), signal);
}

/** As releasePod(), but keeps the pod's files, which its stopped containers' specs still name. */
export async function releasePodRuntime(parts: EngineParts, id: PodId, signal: AbortSignal): Promise<void> {
  await detachNetwork(parts, id, signal);
  const pod = parts.pods.required(id);
  await parts.agent.releaseNamespaces({ dir: parts.paths.pinDir(id), pausePid: pod.pausePid, pauseCgroups: pauseCgroups(parts.config, pod) }, signal);
  if (pod.pausePid !== 0) parts.pods.update(id, { pausePid: 0 });
  await parts.agent.unmount(parts.paths.shm(id), signal);
  await releaseImageVolumes(parts, id, signal);
  removePauseCgroups(parts.config, pod);
}

/** The DEL comes before the namespace goes, since plugins clean inside it; after a reboot there is none any more. */
async function detachNetwork(parts: EngineParts, id: PodId, signal: AbortSignal): Promise<void> {
  const pod = parts.pods.required(id);
  if (!pod.networkHeld) return;
  await parts.network.detach(attachment(parts, pod, networkNamespace(parts.paths, pod)), pod.network, signal);
  parts.pods.update(id, { networkHeld: false, network: undefined });
}
