import type { Empty } from '../messages/common.ts';
import type { VersionResponse } from '../messages/runtime.ts';
import type { Door, Unary } from '../handler.ts';

/** The kubelet refuses an answer in which any field is empty. */
export const version =
  ({ version: runtimeVersion }: Door): Unary<Empty, VersionResponse> =>
  () => ({ version: '0.1.0', runtimeName: 'berth', runtimeVersion, runtimeApiVersion: 'v1' });
