import type { PodEvent } from '../events/pod-event.ts';
import { containerEventTypes, type ContainerEventResponse } from '../messages/sandbox.ts';
import type { ImageIdOf } from './container-config.ts';
import { encodeContainerStatus } from './container.ts';
import { encodePodStatus } from './pod.ts';

export function encodeEvent(event: PodEvent, imageIdOf: ImageIdOf): ContainerEventResponse {
  return {
    containerId: event.containerId,
    containerEventType: containerEventTypes.indexOf(event.type),
    createdAt: event.atNs,
    podSandboxStatus: event.pod === undefined ? null : encodePodStatus(event.pod),
    containersStatuses: event.containers.map((container) => encodeContainerStatus(container, imageIdOf)),
  };
}
