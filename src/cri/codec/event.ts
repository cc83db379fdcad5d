import type { EngineEvent } from '../../engine/model/event.ts';
import { containerEventTypes, type ContainerEventResponse } from '../messages/sandbox.ts';
import { encodeContainerStatus } from './container.ts';
import { encodePodStatus } from './pod.ts';

export function encodeEvent(event: EngineEvent): ContainerEventResponse {
  return {
    containerId: event.containerId,
    containerEventType: containerEventTypes.indexOf(event.type),
    createdAt: event.atNs,
    podSandboxStatus: event.pod === undefined ? null : encodePodStatus(event.pod),
    containersStatuses: event.containers.map(encodeContainerStatus),
  };
}
