import type { PodId } from '../../lib/ids.ts';
import type { PodEvent } from '../../nri/port.ts';
import type { LinuxResources } from '../model/resources.ts';
import type { EngineParts } from '../parts.ts';
import { describePod, isHeard, ofHost } from './describe.ts';
import { tellPlugins } from './tell-plugins.ts';

/** Before a pod is ready: a plugin that refuses it makes its start fail. Whoever calls it takes it from the ledger. */
export async function podStarts(parts: EngineParts, id: PodId, signal: AbortSignal): Promise<void> {
  const pod = parts.pods.required(id);
  if (!isHeard(parts, pod)) return;
  parts.ledger.pods.add(id);
  await parts.nri.podEvent('run', describePod(parts, pod), signal);
}

/** A pod whose start failed is over for the plugins that have heard of it. */
export async function podFailed(parts: EngineParts, id: PodId): Promise<void> {
  if (!parts.ledger.pods.delete(id)) return;
  await tell(parts, 'stop', id);
  await tell(parts, 'remove', id);
}

/** After its containers have ended, while the pod still has its network. Once. */
export async function podStops(parts: EngineParts, id: PodId): Promise<void> {
  if (parts.ledger.stopsOwed.delete(id)) await tell(parts, 'stop', id);
}

export async function podGoes(parts: EngineParts, id: PodId): Promise<void> {
  await tell(parts, 'remove', id);
}

/** Before what is asked is recorded: a plugin may refuse. */
export async function podChanges(parts: EngineParts, id: PodId, update: { readonly overhead: LinuxResources | undefined; readonly resources: LinuxResources | undefined }, signal: AbortSignal): Promise<void> {
  const pod = parts.pods.required(id);
  if (!isHeard(parts, pod)) return;
  const asked = { overhead: ofHost(parts, update.overhead), resources: ofHost(parts, update.resources) };
  await parts.nri.updatePod(describePod(parts, pod), asked, signal);
}

export async function podChanged(parts: EngineParts, id: PodId): Promise<void> {
  await tell(parts, 'post-update', id);
}

/** Described as it is now, not as it will be when its turn comes. */
async function tell(parts: EngineParts, event: PodEvent, id: PodId): Promise<void> {
  const heard = parts.pods.required(id);
  if (!isHeard(parts, heard)) return;
  const pod = describePod(parts, heard);
  await tellPlugins(parts, id, async (signal) => {
    try {
      await parts.nri.podEvent(event, pod, signal);
    } catch (error) {
      signal.throwIfAborted();
      parts.log.warn({ pod: id, err: error }, `a plugin failed to take note of a pod (${event})`);
    }
  });
}
