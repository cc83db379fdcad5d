import { encodeStatus } from '../codec/status.ts';
import type { Door, Unary } from '../handler.ts';
import type { StatusRequest, StatusResponse } from '../messages/runtime.ts';
import { statusInfo } from '../verbose/status-info.ts';

export const status =
  (door: Door): Unary<StatusRequest, StatusResponse> =>
  ({ verbose }) => {
    const now = door.engine.status();
    return { ...encodeStatus(now), info: verbose ? statusInfo(door, now) : {} };
  };
