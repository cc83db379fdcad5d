import { encodeEvent } from '../codec/event.ts';
import { encodeStatus } from '../codec/status.ts';
import { imageIdIn } from '../find-images.ts';
import type { Caller, Door, Routes } from '../handler.ts';
import type { Empty } from '../messages/common.ts';
import { cgroupDrivers, type RuntimeConfigResponse, type StatusRequest, type StatusResponse, type VersionResponse } from '../messages/runtime.ts';
import type { ContainerEventResponse } from '../messages/sandbox.ts';
import { statusInfo } from '../verbose/status-info.ts';

export const runtimeRoutes = {
  /** The kubelet refuses an answer in which any field is empty. */
  Version({ version: runtimeVersion }: Door): VersionResponse {
    return { version: '0.1.0', runtimeName: 'berth', runtimeVersion, runtimeApiVersion: 'v1' };
  },

  Status(door: Door, { verbose }: StatusRequest): StatusResponse {
    const now = door.engine.status();
    return { ...encodeStatus(now), info: verbose ? statusInfo(door, now) : {} };
  },

  RuntimeConfig({ engine }: Door): RuntimeConfigResponse {
    return { linux: { cgroupDriver: cgroupDrivers[engine.status().cgroupDriver] } };
  },

  /** A no-op: the pod network takes its ranges from the CNI configuration, not from the kubelet's pod CIDR. */
  UpdateRuntimeConfig(): Empty {
    return {};
  },

  /** Runs until the client leaves or berthd shuts down. */
  async *GetContainerEvents({ engine, events }: Door, _request: Empty, { signal }: Caller): AsyncIterable<ContainerEventResponse> {
    for await (const event of events.subscribe(signal)) yield encodeEvent(event, imageIdIn(engine.images));
  },
} satisfies Routes;
