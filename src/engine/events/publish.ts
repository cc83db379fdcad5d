import type { ContainerId, PodId } from '../../lib/ids.ts';
import type { EventType } from '../model/event.ts';
import type { EngineParts } from '../parts.ts';

type Parts = Pick<EngineParts, 'events' | 'pods' | 'containers' | 'clock'>;

/** Tells what happened to a pod. Call it after the store shows the new state. */
export function publishPod(parts: Parts, type: EventType, podId: PodId): void {
  publish(parts, { type, podId, containerId: podId });
}

/** Tells what happened to a container. Call it after the store shows the new state. */
export function publishContainer(parts: Parts, type: EventType, container: { readonly id: ContainerId; readonly podId: PodId }): void {
  publish(parts, { type, podId: container.podId, containerId: container.id });
}

function publish({ events, pods, containers, clock }: Parts, what: { readonly type: EventType; readonly podId: PodId; readonly containerId: string }): void {
  const { type, podId, containerId } = what;
  events.publish({ type, containerId, atNs: clock.nowNs(), pod: pods.peek(podId), containers: containers.ofPod(podId) });
}
