import type { Door, Unary } from '../handler.ts';
import type { Empty } from '../messages/common.ts';
import { cgroupDrivers, type RuntimeConfigResponse } from '../messages/runtime.ts';

export const runtimeConfig =
  ({ engine }: Door): Unary<Empty, RuntimeConfigResponse> =>
  () => ({ linux: { cgroupDriver: cgroupDrivers[engine.status().cgroupDriver] } });
