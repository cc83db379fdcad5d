import { BerthError } from '../../lib/errors.ts';
import { newPodId, type ContainerId } from '../../lib/ids.ts';
import type { Pod, PodConfig } from '../model/pod.ts';
import type { EngineParts } from '../parts.ts';

/** Fails `already-exists` while a pod of the owner lives that has the key. */
export function checkPodKey(parts: EngineParts, config: PodConfig): void {
  const living = parts.pods.byKey(config);
  if (living !== undefined) throw new BerthError('already-exists', `pod ${config.title} exists already as ${living.id}`, { hint: 'remove it first, or ask for another' });
}

/** The record comes first: after a crash it tells what has to be undone. One of a container's own holds nothing before its start. */
export function recordPod(parts: EngineParts, config: PodConfig, ownedBy?: ContainerId): Pod {
  const selinuxLevel = parts.selinux.newLevel(parts.pods.all());
  return parts.pods.add({
    id: newPodId(),
    config,
    state: ownedBy === undefined ? 'creating' : 'notready',
    createdAtNs: parts.clock.nowNs(),
    network: undefined,
    networkHeld: false,
    pausePid: 0,
    waterfall: [],
    ...(selinuxLevel === undefined ? {} : { selinuxLevel }),
    ...(ownedBy === undefined ? {} : { ownedBy }),
  });
}
