import type { Unary } from '../handler.ts';
import type { Empty } from '../messages/common.ts';

/** A no-op: the pod network takes its ranges from the CNI configuration, not from the kubelet's pod CIDR. */
export const updateRuntimeConfig = (): Unary<Empty, Empty> => () => ({});
