import { existsSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { PodId } from '../../lib/ids.ts';
import { abandonRestored } from '../checkpoints/abandon-restored.ts';
import { publishPod } from '../facts/publish.ts';
import type { Pod } from '../model/pod.ts';
import type { EngineParts } from '../parts.ts';
import { abandonPod } from '../sandboxes/abandon-pod.ts';
import { forgetOwnPod } from '../sandboxes/own-pod.ts';
import { releasePodRuntime } from '../sandboxes/release-pod.ts';
import { initLives } from '../pods/watch-inits.ts';
import { forEach } from './for-each.ts';

const releaseMs = 10_000;

/** Undoes half-made and half-restored pods and marks those as notready whose namespaces did not survive. */
export async function recoverPods(parts: EngineParts): Promise<void> {
  await forEach(parts, 'recovering a pod', parts.pods.all(), async (pod) => {
    if (pod.state === 'creating') await abandonPod(parts, pod.id);
    else if (pod.state === 'ready' && !isAlive(parts, pod)) await retire(parts, pod.id);
    placeHostFiles(parts, pod.id);
    // A crash came between the record of the pod and that of the container whose own it is, or between their ends.
    if (pod.ownedBy !== undefined && parts.containers.ofPod(pod.id).length === 0) parts.background.ensure('ending a pod without its container', { pod: pod.id }, (signal) => forgetOwnPod(parts, pod, signal));
    if (pod.restoring === true) await abandonRestored(parts, pod.id);
  });
}

/** An earlier berthd put a pod's files beside its other things; containers to come look for them below etc. */
function placeHostFiles({ paths }: EngineParts, id: PodId): void {
  if (existsSync(join(paths.pod(id), 'hosts')) && !existsSync(paths.hostFiles(id))) symlinkSync('.', paths.hostFiles(id));
}

function isAlive({ state, paths }: EngineParts, { id, pausePid, config }: Pod): boolean {
  if (state.rebooted || !existsSync(paths.pod(id))) return false;
  if (!initLives({ pausePid })) return false;
  return config.security.namespaces.network === 'node' || existsSync(paths.pin(id, 'net'));
}

/** The network's addresses are given back now; if that fails, again later or when the client stops the pod. */
async function retire(parts: EngineParts, id: PodId): Promise<void> {
  parts.log.info({ pod: id }, 'a pod did not survive and is notready now');
  publishPod(parts, 'stopped', parts.pods.transition(id, 'notready', parts.state.rebooted ? { pausePid: 0 } : {}));
  // No plugin is there yet; one that joins hears of the pod as of all others, and of its stop when a client stops it.
  parts.ledger.stopsOwed.add(id);
  // After a reboot the pins are plain files that name nothing, and plugins must not be sent there.
  if (parts.state.rebooted) await parts.agent.releaseNamespaces({ dir: parts.paths.pinDir(id), pausePid: 0 }, AbortSignal.timeout(releaseMs));
  const release = (signal: AbortSignal): Promise<void> =>
    parts.podLocks.run(
      id,
      async () => {
        if (parts.pods.peek(id) !== undefined) await releasePodRuntime(parts, id, AbortSignal.any([signal, AbortSignal.timeout(releaseMs)]));
      },
      signal,
    );
  try {
    await release(parts.background.signal);
  } catch (error) {
    parts.log.warn({ pod: id, err: error }, 'a pod that did not survive is not released yet');
    parts.background.retry('releasing a pod that did not survive', { pod: id }, release);
  }
}
